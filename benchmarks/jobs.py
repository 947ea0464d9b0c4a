"""The console's pages of processed jobs over a history of many rows: time, queries and memory of each.

The rows are made up in a database of its own (SQLite in a temporary folder, or a PostgreSQL that is
started for it), and the pages are asked for in this process by Django's test client.
"""

import argparse
import contextlib
import os
import random
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from .table import say, show_table

CHUNK = 5_000
#: Weights of the states.
STATES = {"done": 950, "dead": 30, "retrying": 15, "abandoned": 5}
EXCEPTIONS = (
    "ValueError",
    "TimeoutError",
    "KeyError",
    "ConnectionError",
    "its process was killed by SIGKILL",
)
FAILED = ("dead", "retrying", "abandoned")
#: Everything was processed in so many days before now.
DAYS = 28


def rows(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """The jobs, oldest first: ten queues, one of them rare, twenty handlers, now and then a long payload."""
    dice = random.Random(seed)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    for number in range(count):
        at = start + timedelta(days=DAYS) * (number / count)
        state = dice.choices(list(STATES), STATES.values())[0]
        exception = dice.choice(EXCEPTIONS) if state in FAILED else None
        queue = "rare" if dice.random() < 0.0005 else f"queue{dice.randrange(9)}"
        payload = f'{{"number": {number}, "email": "user{dice.randrange(10**6)}@example.com"}}'
        yield {
            "queue": queue,
            "message_id": f"hof{number:07}{dice.randrange(36**8):022}",
            "handler": f"shop.handlers.handler{dice.randrange(20)}",
            "state": state,
            "rc": 1,
            "attempts": 1,
            "sent_at": at,
            "started_at": at + timedelta(seconds=1),
            "finished_at": at + timedelta(seconds=2),
            "wait_ms": 1000.0,
            "run_ms": 1000.0,
            "worker": "host:1",
            "body": payload + "x" * (16_000 if number % 100 == 0 else 0),
            "body_is_whole": True,
            "error": f"{exception}: number {number}" if exception else "",
            "exception": exception,
        }


def fill(count: int) -> None:
    """Write the jobs, and the attempts of those that failed."""
    from django.db import connection, transaction

    from queueing.models import Attempt, Job

    chunk: list[dict[str, Any]] = []
    for number, row in enumerate(rows(count), 1):
        chunk.append(row)
        if len(chunk) == CHUNK or number == count:
            with transaction.atomic():
                jobs = Job.objects.bulk_create(Job(**values) for values in chunk)
                Attempt.objects.bulk_create(_attempt(job) for job in jobs if job.exception)
            chunk = []
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def _attempt(job: Any) -> Any:
    from queueing.models import Attempt

    copied = ("rc", "handler", "started_at", "finished_at", "worker", "error", "exception")
    return Attempt(job=job, outcome=job.state, **{name: getattr(job, name) for name in copied})


def pages() -> dict[str, str]:
    """What is asked for: a name and a path."""
    from queueing.admin.job_search import Place
    from queueing.models import Job

    first = Job.objects.earliest("pk").pk
    span = Job.objects.latest("pk").pk - first
    deep = Job.objects.get(pk=first + span // 10)
    failed = Job.objects.filter(state="dead").earliest("pk")
    jobs = "/admin/queueing/job/"
    return {
        "list": jobs,
        "list, nine tenths down": f"{jobs}?before={Place.of(deep)}",
        "state done": f"{jobs}?state=done",
        "state dead": f"{jobs}?state=dead",
        "a queue": f"{jobs}?queue=queue3",
        "a rare queue": f"{jobs}?queue=rare",
        "a rare queue, done": f"{jobs}?queue=rare&state=done",
        "a handler and a queue": f"{jobs}?handler=shop.handlers.handler7&queue=queue3",
        "a handler in a rare queue": f"{jobs}?handler=shop.handlers.handler7&queue=rare",
        "an exception": f"{jobs}?exception=KeyError",
        "past 7 days, done": f"{jobs}?period=week&state=done",
        "an id": f"{jobs}?q={deep.message_id}",
        "the beginning of an id": f"{jobs}?q={deep.message_id[:9]}",
        "the beginning of all ids": f"{jobs}?q=hof00000",
        "a text that is everywhere": f"{jobs}?q=email",
        "a text that is nowhere": f"{jobs}?q=nowhere at all",
        "a job": f"{jobs}{failed.pk}/change/",
        "failures of a month": f"{jobs}failures/?period=month",
        "run again all dead?": f"{jobs}all/rerun/?state=dead",
        "delete all?": f"{jobs}all/forget/",
        "export of all dead": f"{jobs}export/?state=dead",
    }


def measure(client: Any, path: str, turns: int) -> tuple[str, ...]:
    """Median of ms on the clock, ms of this process, queries, bytes of the page and of memory at the peak."""
    from django.db import connection

    times, cpu_begin = [], time.process_time()
    queries: list[str] = []
    size = 0
    for _turn in range(turns):
        begin = time.perf_counter()
        size = _size(client.get(path))
        times.append((time.perf_counter() - begin) * 1000)
    cpu_ms = (time.process_time() - cpu_begin) / turns * 1000
    with connection.execute_wrapper(_noting(queries)):
        _size(client.get(path))
    tracemalloc.start()
    _size(client.get(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    figures = (f"{median(times):.0f}", f"{cpu_ms:.0f}", str(len(queries)))
    return (*figures, f"{size / 1000:.0f}", f"{peak / 1e6:.1f}")


def _noting(queries: list[str]) -> Any:
    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append(sql)
        return execute(sql, params, many, context)

    return note


def _size(response: Any) -> int:
    assert response.status_code == 200, response
    return sum(map(len, response.streaming_content if response.streaming else [response.content]))


@contextlib.contextmanager
def database(is_postgres: bool) -> Iterator[str]:
    """The address of an empty database."""
    if is_postgres:
        from tests.servers.postgres_server import PostgresServer

        server = PostgresServer().start()
        try:
            yield server.url
        finally:
            server.stop()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'jobs.sqlite3'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with database(options.postgres) as url:
        os.environ |= {"DEBUG": "1", "SECRET_KEY": "x", "DATABASE_URL": url}
        os.environ["DJANGO_SETTINGS_MODULE"] = "mqsite.settings"
        import django

        django.setup()
        run(options.rows, options.turns)


def run(count: int, turns: int) -> None:
    """Fill and measure."""
    import fakeredis
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from queueing.client import QueueClient
    from queueing.connections import use_client

    use_client(QueueClient(fakeredis.FakeRedis()))
    call_command("migrate", verbosity=0)
    begin = time.perf_counter()
    fill(count)
    say(f"{connection.vendor}, {count:,} jobs, made in {time.perf_counter() - begin:.0f} s\n")
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("boss"))
    client.get("/admin/queueing/job/")
    titles = ("page", "ms", "of which here", "queries", "kB", "peak MB")
    show_table(titles, [(name, *measure(client, path, turns)) for name, path in pages().items()])


if __name__ == "__main__":
    main()
