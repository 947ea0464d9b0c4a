"""arq: coroutines in one process, which polls Redis every half second."""

import asyncio

import common
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

settings = RedisSettings.from_dsn(common.URL)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
pool = None


async def noop(context, text: str) -> None:
    common.stamp(text)


async def nap(context, text: str) -> None:
    await common.async_nap(text)


async def enqueue(job: str, *texts: str) -> None:
    global pool
    pool = pool or await create_pool(settings)
    for start in range(0, len(texts), 20):
        await asyncio.gather(*(pool.enqueue_job(job, text) for text in texts[start : start + 20]))


def work(processes: int, threads: int) -> None:
    Worker([noop, nap], redis_settings=settings, max_jobs=threads).run()


if __name__ == "__main__":
    common.main(
        send=lambda job, text: loop.run_until_complete(enqueue(job, text)),
        send_many=lambda job, texts: loop.run_until_complete(enqueue(job, *texts)),
        work=work,
    )
