"""streaq: coroutines in one process; only its enqueueing is measured."""

import asyncio

import common
from streaq import Worker

worker = Worker(redis_url=common.URL)
loop = asyncio.new_event_loop()


@worker.task
async def noop(text: str) -> None:
    common.stamp(text)


async def send_one(text: str) -> None:
    await noop.enqueue(text)


def send(job: str, text: str) -> None:
    loop.run_until_complete(send_one(text))


def send_many(job: str, texts) -> None:
    loop.run_until_complete(worker.enqueue_many([noop.enqueue(text) for text in texts]))


if __name__ == "__main__":
    connecting = worker.__asynccontextmanager__()
    loop.run_until_complete(connecting.__aenter__())
    common.main(send=send, send_many=send_many)
