"""rq: its worker forks a process for each job."""

import common
from redis import Redis
from rq import Queue, Worker

connection = Redis.from_url(common.URL)
queue = Queue("bench", connection=connection)


def send(job: str, text: str) -> None:
    queue.enqueue(f"common.{job}", text)


def send_many(job: str, texts) -> None:
    queue.enqueue_many([Queue.prepare_data(f"common.{job}", (text,)) for text in texts])


def work(processes: int, threads: int) -> None:
    Worker([queue], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    common.main(send=send, send_many=send_many, work=work)
