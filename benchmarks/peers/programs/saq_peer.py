"""saq: coroutines in one process."""

import asyncio

import common
from saq import Queue, Worker

queue = Queue.from_url(common.URL)
loop = asyncio.new_event_loop()


async def noop(context, *, text: str) -> None:
    common.stamp(text)


async def nap(context, *, text: str) -> None:
    await common.async_nap(text)


def send(job: str, text: str) -> None:
    loop.run_until_complete(queue.enqueue(job, text=text))


def send_many(job: str, texts) -> None:
    async def twenty_at_once() -> None:
        for start in range(0, len(texts), 20):
            await asyncio.gather(*(queue.enqueue(job, text=text) for text in texts[start : start + 20]))

    loop.run_until_complete(twenty_at_once())


def work(processes: int, threads: int) -> None:
    loop.run_until_complete(Worker(queue, [noop, nap], concurrency=threads).start())


if __name__ == "__main__":
    asyncio.set_event_loop(loop)
    common.main(send=send, send_many=send_many, work=work)
