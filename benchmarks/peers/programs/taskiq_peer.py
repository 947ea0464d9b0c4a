"""taskiq on a Redis stream, because its list broker crashes after five idle seconds with redis-py 8."""

import asyncio

import common


def worker(processes: int, threads: int) -> list[object]:
    options = ["--workers", processes, "--max-async-tasks", threads, "--log-level", "WARNING"]
    return ["-m", "taskiq", "worker", "taskiq_peer:broker", *options]


if __name__ == "__main__":
    common.become_worker(worker)

from taskiq_redis import RedisStreamBroker  # noqa: E402

broker = RedisStreamBroker(common.URL)


@broker.task(task_name="noop")
async def noop(text: str) -> None:
    common.stamp(text)


@broker.task(task_name="nap")
async def nap(text: str) -> None:
    await common.async_nap(text)


JOBS = {"noop": noop, "nap": nap}
loop = asyncio.new_event_loop()


def send(job: str, text: str) -> None:
    loop.run_until_complete(JOBS[job].kiq(text))


def send_many(job: str, texts) -> None:
    async def twenty_at_once() -> None:
        for start in range(0, len(texts), 20):
            await asyncio.gather(*(JOBS[job].kiq(text) for text in texts[start : start + 20]))

    loop.run_until_complete(twenty_at_once())


if __name__ == "__main__":
    loop.run_until_complete(broker.startup())
    common.main(send=send, send_many=send_many)
