"""PyRSMQ: RSMQ's format without a worker of its own. Its consumer polls, by default every two seconds."""

import common
from redis import Redis
from rsmq import RedisSMQ
from rsmq.consumer import RedisSMQConsumer

client = Redis.from_url(common.URL)
queue = RedisSMQ(client=client, qname="bench")
JOBS = {"noop": common.stamp, "nap": common.nap}


def setup() -> None:
    queue.createQueue().vt(60).execute()


def send(job: str, text: str) -> None:
    queue.sendMessage(message=f"{job} {text}").execute()


def send_many(job: str, texts) -> None:
    for text in texts:
        send(job, text)


def run(message: bytes, **fields: object) -> bool:
    job, _, text = message.decode().partition(" ")
    JOBS[job](text)
    return True


def work(processes: int, threads: int) -> None:
    RedisSMQConsumer("bench", run, client=client, decode=False).run()


if __name__ == "__main__":
    common.main(send=send, send_many=send_many, work=work, setup=setup)
