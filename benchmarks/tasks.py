"""Measures Django's tasks on this backend: enqueueing in a loop and in a batch, and running no-op tasks.

Enqueueing takes turns with sends of the same bodies by the client. Running tasks is compared with running
handlers that do nothing. The worker has one child process. It stores results, and the history in SQLite.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from .server import client_of, empty_server, versions
from .table import say, show_table

COUNT, BATCH = 2000, 1000
BODY_OF = '{"django_task":1,"task":"benchmarks.task_app.tasks.nothing","args":[%d],"kwargs":{}}'


def timed(act: Callable[[], object], count: int) -> float:
    """Call ``act``, which sends ``count`` messages. Returns messages per second."""
    start = time.perf_counter()
    act()
    return count / (time.perf_counter() - start)


def rates_of_enqueueing(client, turns: int) -> dict[str, list[float]]:
    """The rates of each way to send, in messages per second: one rate for each turn."""
    from benchmarks.task_app.tasks import nothing
    from queueing.tasks.compat import task_backends

    backend = task_backends["default"]
    ways = {
        "enqueue in a loop": lambda: [nothing.enqueue(n) for n in range(COUNT)],
        "send_message in a loop": lambda: [client.send_message("default", BODY_OF % n) for n in range(COUNT)],
        "enqueue_many": lambda: backend.enqueue_many(nothing, [([n], {}) for n in range(BATCH)]),
        "send_messages": lambda: client.send_messages("default", [BODY_OF % n for n in range(BATCH)]),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    nothing.enqueue(0)
    for turn in range(turns + 1):
        for name, act in ways.items():
            rate = timed(act, COUNT if "loop" in name else BATCH)
            client.purge_queue("default")
            # The first turn is a warm-up.
            if turn:
                found[name].append(rate)
    return found


def drain(server, database: Path, queue: str, count: int, folder: Path) -> float:
    """Run a worker with one child process until ``queue`` is empty. Returns messages per second.

    The rate counts the time from the first of ``count`` messages to the last, without the worker's start.
    """
    from tests.support.program import Program
    from tests.support.worker_process import MANAGE, site_environment

    stamps = folder / f"{queue}.stamps"
    env = {
        **site_environment(server.url, f"sqlite:///{database}"),
        "DJANGO_SETTINGS_MODULE": "benchmarks.task_app.settings",
        "STAMPS": str(stamps),
    }
    worker = Program([sys.executable, MANAGE, "runworker", queue, "--burst"], env=env, name="runworker")
    assert worker.run(within_seconds=600) == 0, worker.tail()
    times = [float(line) for line in stamps.read_text().split()]
    assert len(times) == count, f"{len(times)} of {count} ran"
    return (count - 1) / (max(times) - min(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.tasks")
    parser.add_argument("--turns", type=int, default=9, help="turns of each way to send (%(default)s)")
    parser.add_argument("--messages", type=int, default=20_000, help="messages to drain (%(default)s)")
    options = parser.parse_args()
    os.environ |= {"DEBUG": "1", "SECRET_KEY": "x", "DJANGO_SETTINGS_MODULE": "benchmarks.task_app.settings"}
    with empty_server() as server, tempfile.TemporaryDirectory() as name:
        run(server, Path(name), options.turns, options.messages)


def run(server, folder: Path, turns: int, count: int) -> None:
    import django

    os.environ |= {"REDIS_URL": server.url, "DATABASE_URL": f"sqlite:///{folder / 'history.sqlite3'}"}
    django.setup()
    from django.core.management import call_command

    from benchmarks.task_app.tasks import nothing
    from queueing.tasks.compat import task_backends

    client = client_of(server)
    say(f"Django {django.__version__}, {versions(server)}; medians of {turns} turns")
    say()
    rates = {name: median(found) for name, found in rates_of_enqueueing(client, turns).items()}
    bare = {"enqueue in a loop": "send_message in a loop", "enqueue_many": "send_messages"}
    rows = [
        [name, f"{rates[name]:,.0f}", f"{rates[name] / rates[of]:.0%} of {of}"] for name, of in bare.items()
    ]
    call_command("migrate", verbosity=0)
    client.create_queue("plain")
    client.send_messages("plain", ["x" * 100] * count)
    task_backends["default"].enqueue_many(nothing, [([n], {}) for n in range(count)])
    database = folder / "history.sqlite3"
    handled, done = (drain(server, database, queue, count, folder) for queue in ("plain", "default"))
    rows.append(
        ["drain of no-op tasks", f"{done:,.0f}", f"{done / handled:.0%} of handlers ({handled:,.0f})"]
    )
    show_table(["what", "tasks/s", "against the bare client"], rows)


if __name__ == "__main__":
    main()
