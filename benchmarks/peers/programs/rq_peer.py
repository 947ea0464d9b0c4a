"""rq: only its enqueueing is measured, because with a process per job it runs some 100 a second."""

import common
from redis import Redis
from rq import Queue

queue = Queue("bench", connection=Redis.from_url(common.URL))


def send(job: str, text: str) -> None:
    queue.enqueue(f"common.{job}", text)


def send_many(job: str, texts) -> None:
    queue.enqueue_many([Queue.prepare_data(f"common.{job}", (text,)) for text in texts])


if __name__ == "__main__":
    common.main(send=send, send_many=send_many)
