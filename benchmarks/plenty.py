"""Fills a site with much data: a long history, many queues with statistics of a month, and long payloads.

One of the queues has very many messages. The data is written in bulk and not by the app, because months of
data must be ready within minutes.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from queueing.monitoring.workers import beat

if TYPE_CHECKING:
    from queueing.client import QueueClient

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
#: Days before now in which all jobs were processed.
DAYS = 28
#: Characters of the longest payload, and of the frequent long ones.
HUGE, LONG = 10_000_000, 900_000
#: The queue with most messages, the one with long messages, and the one with the longest message.
DEEP, OF_LONG, OF_HUGE = "queue000", "queue001", "queue002"

# --- the history ------------------------------------------------------------------------------


def rows(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """The values of ``count`` job rows, oldest first.

    The jobs are spread over twenty handlers and ten queues, one of which is rare. Some payloads are long.
    """
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
            "crashes": 0,
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
            "result": "",
        }


def fill(count: int) -> None:
    """Write ``count`` jobs with the primary keys from 1 on, and one attempt for each failed job."""
    from django.db import connection, transaction

    from queueing.models import Attempt, Job

    jobs = enumerate(rows(count), 1)
    while chunk := list(islice(jobs, CHUNK)):
        with transaction.atomic():
            _insert(Job, [{"id": key, **row} for key, row in chunk])
            _insert(Attempt, [_attempt(key, row) for key, row in chunk if row["exception"]])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for model in (Job, Attempt):
                table = model._meta.db_table
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                )
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def _attempt(key: int, row: dict[str, Any]) -> dict[str, Any]:
    copied = ("rc", "handler", "started_at", "finished_at", "worker", "error", "exception")
    return {
        **{name: row[name] for name in copied},
        **{"id": key, "job_id": key, "outcome": row["state"], "traceback": ""},
    }


def _insert(model: Any, values: list[dict[str, Any]]) -> None:
    """Insert many rows that have the same columns, with SQL. The ORM would take most of the time."""
    from django.db import connection

    if not values:
        return
    columns = ", ".join(map(connection.ops.quote_name, values[0]))
    into = f"{model._meta.db_table} ({columns})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in values:
                    copy.write_row(tuple(row.values()))
        else:
            marks = ", ".join(["%s"] * len(values[0]))
            cursor.executemany(
                f"INSERT INTO {into} VALUES ({marks})",
                [[_plain(value) for value in row.values()] for row in values],
            )


def _plain(value: Any) -> Any:
    """The value as Django stores it in SQLite: a time becomes text."""
    return str(value.replace(tzinfo=None)) if isinstance(value, datetime) else value


def add_huge_job() -> int:
    """Add a job with the longest payload, error and traceback. Returns its primary key."""
    from django.utils import timezone

    from queueing.models import Attempt, Job

    now = timezone.now()
    job = Job.objects.create(
        **{"queue": OF_HUGE, "message_id": "huge" * 8, "state": "dead", "rc": 1, "attempts": 1},
        **{"finished_at": now, "sent_at": now, "started_at": now, "body": huge(), "body_is_whole": True},
        **{"error": "E" * HUGE, "exception": "ValueError", "handler": "shop.handlers.huge"},
    )
    Attempt.objects.create(
        **{"job": job, "rc": 1, "outcome": "dead", "finished_at": now, "error": "E" * HUGE},
        **{"exception": "ValueError", "traceback": "T" * HUGE},
    )
    return job.pk


def huge(length: int = HUGE) -> str:
    """A payload of about ``length`` characters. It is JSON that repeats one object."""
    piece = json.dumps({"name": "Ada", "email": "ada@example.com", "numbers": [1, 2, 3]})
    return "[" + ", ".join([piece] * (length // (len(piece) + 2))) + "]"


# --- the queues -------------------------------------------------------------------------------


def fill_queues(client: "QueueClient", queues: int, messages: int) -> None:
    """Create ``queues`` queues, each with ten messages and with statistics of a month.

    The first queue gets another ``messages`` messages. The second queue gets many long messages, and the
    third gets one message of the maximum length.
    """
    for number in range(queues):
        name = f"queue{number:03}"
        client.create_queue(name)
        client.send_messages(name, [f"message {index}" for index in range(10)])
        _write_past(client, name, number)
    numbers = iter(range(messages))
    while chunk := list(islice(numbers, 1000)):
        client.send_messages(DEEP, [f'{{"number": {number}, "text": "deep"}}' for number in chunk])
    for name in (OF_LONG, OF_HUGE):
        client.set_queue_attributes(name, maxsize=-1)
    for number in range(200):
        client.send_message(OF_LONG, f"{number} {'x' * LONG}")
    client.send_message(OF_HUGE, huge())


def _write_past(client: "QueueClient", name: str, seed: int) -> None:
    """Write statistics of a queue as if it had been busy all month: each time span of its charts has sums."""
    from queueing.monitoring.series import LEVELS

    dice = random.Random(seed)
    now_minute = int(datetime.now(UTC).timestamp()) // 60
    fields: dict[str, str | bytes] = {
        f"{level}{now_minute // minutes - back}": _sums(dice)
        for level, minutes, count in LEVELS
        for back in range(count)
    }
    now_ms = now_minute * 60_000
    fields["now"] = f"{now_minute} {_sums(dice)}"
    fields["total"] = _sums(dice)
    fields["since"] = str(now_ms - DAYS * 86_400_000)
    fields["last"] = json.dumps([[now_ms - 60_000 * back, 1000 - back, 900, 10] for back in range(6, -1, -1)])
    client.redis.hset(client.keys.metrics(name), mapping=fields)  # type: ignore[arg-type]


def _sums(dice: random.Random) -> str:
    words = ("done", "retrying", "dead", "abandoned", "sent", "left")
    stands = ("max_ready", "max_delayed", "max_running", "max_latency_ms")
    buckets = [f"{kind}{bucket}" for kind in "rw" for bucket in dice.sample(range(24), 9)]
    sums = {name: dice.randrange(1, 1000) for name in (*words, *stands, *buckets)}
    return json.dumps({**sums, "run_ms": 1234.5, "wait_ms": 987.6}, separators=(",", ":"))


def fill_workers(client: "QueueClient", count: int) -> None:
    """Register workers, each with four children that run eight messages each."""
    for number in range(count):
        running = [{"id": f"{index:032}", "queue": DEEP, "started_ms": 1.7e12} for index in range(8)]
        children = [
            {"name": f"c{child}", "pid": child, "memory_bytes": 50_000_000, "running": running}
            for child in range(4)
        ]
        record = {
            **{"host": f"host{number}", "pid": number, "version": "1.0", "token": f"t{number}"},
            **{"uptime_ms": 1e7, "queues": [f"queue{queue:03}" for queue in range(100)]},
            **{"processes": 4, "threads": 8, "memory_bytes": 200_000_000, "round_trip_ms": 0.5},
            **{"quiet": False, "children": children},
        }
        beat(client.session, f"host{number}:1", json.dumps(record), f"t{number}")


def fill_schedules(client: "QueueClient", count: int) -> None:
    """Register ``count`` schedules."""
    for number in range(count):
        state = {
            **{"expression": "*/5 * * * *", "time_zone": "Europe/Berlin", "queue": DEEP, "missed": "latest"},
            **{"settled": "1700000000000", "seen": "1700000000000", "tick": "0", "id": "", "paused": ""},
        }
        client.redis.hset(client.keys.schedules(), f"shop.tasks.report{number}", json.dumps(state))
