"""streaq: coroutines in one process."""

import asyncio
import sys

import common
from streaq import Worker

threads = int(sys.argv[3]) if sys.argv[1:2] == ["work"] else 1
worker = Worker(redis_url=common.URL, concurrency=threads)
loop = asyncio.new_event_loop()


@worker.task
async def noop(text: str) -> None:
    common.stamp(text)


@worker.task
async def nap(text: str) -> None:
    await common.async_nap(text)


JOBS = {"noop": noop, "nap": nap}


async def send_one(job: str, text: str) -> None:
    await JOBS[job].enqueue(text)


def send(job: str, text: str) -> None:
    loop.run_until_complete(send_one(job, text))


def send_many(job: str, texts) -> None:
    loop.run_until_complete(worker.enqueue_many([JOBS[job].enqueue(text) for text in texts]))


def work(processes: int, threads: int) -> None:
    worker.run_sync()


if __name__ == "__main__":
    if sys.argv[1] != "work":
        connecting = worker.__asynccontextmanager__()
        loop.run_until_complete(connecting.__aenter__())
    common.main(send=send, send_many=send_many, work=work)
