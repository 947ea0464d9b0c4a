"""procrastinate: jobs are rows in PostgreSQL, and its worker listens for new ones."""

import asyncio
import sys

import common
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

app = App(connector=PsycopgConnector(conninfo=common.DATABASE_URL))


@app.task(name="noop")
async def noop(text: str) -> None:
    common.stamp(text)


@app.task(name="nap")
async def nap(text: str) -> None:
    await common.async_nap(text)


JOBS = {"noop": noop, "nap": nap}


def setup() -> None:
    app.schema_manager.apply_schema()


def send_many(job: str, texts) -> None:
    JOBS[job].batch_defer(*({"text": text} for text in texts))


async def run(threads: int) -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=threads)


def work(processes: int, threads: int) -> None:
    asyncio.run(run(threads))


def main() -> None:
    common.main(
        send=lambda job, text: JOBS[job].defer(text=text), send_many=send_many, work=work, setup=setup
    )


if __name__ == "__main__":
    if sys.argv[1] == "work":
        main()
    else:
        connector = SyncPsycopgConnector(conninfo=common.DATABASE_URL)
        with app.replace_connector(connector) as sending, sending.open():
            main()
