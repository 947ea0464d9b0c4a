"""Measures transactional enqueue: a task's cost in a transaction, and the rate of a relay with a backlog.

A staged task is written as a row in the transaction, and is sent after the commit. The relay is the part of a
worker that sends staged tasks if their own process has not sent them.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from statistics import median

import django
import psutil

from tests.support.worker_process import site_environment

from .history import database
from .server import empty_server, versions
from .table import note, say, show_table

BACKEND = "queueing.tasks_backend.RSMQBackend"
#: Transactions of one turn, and tasks of the long one.
COUNT, MANY = 300, 300


def timed(act: Callable[[], object], count: int) -> float:
    """Call ``act``. Returns its time in µs, divided by ``count``."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e6 / count


def ways() -> dict[str, tuple[Callable[[], object], int, dict[str, str]]]:
    """The ways to commit, by name.

    Each has the code of one turn, the number of its transactions or tasks, and the options of the task
    backend.
    """
    from django.contrib.auth.models import Group
    from django.db import transaction

    from .task_app.tasks import nothing

    def short(send: Callable[[int], object]) -> None:
        for number in range(COUNT):
            with transaction.atomic():
                Group.objects.create(name=f"{time.time_ns()}")
                send(number)

    def long() -> None:
        with transaction.atomic():
            for number in range(MANY):
                nothing.enqueue(number)

    staged = {"enqueue": "transaction"}
    return {
        "a transaction with one row": (lambda: short(lambda number: None), COUNT, {}),
        "the same, and a task at its commit": (lambda: short(nothing.enqueue), COUNT, {}),
        "the same, and a staged task": (lambda: short(nothing.enqueue), COUNT, staged),
        f"{MANY} tasks of one transaction at its commit, each": (long, MANY, {}),
        f"{MANY} staged tasks of one transaction, each": (long, MANY, staged),
    }


def use(options: dict[str, str]) -> None:
    """Set the options of the task backend. Existing tasks use the new backend, too."""
    from django.conf import settings
    from django.test.signals import setting_changed

    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": [], "OPTIONS": options}}
    setting_changed.send(None, setting="TASKS", value=settings.TASKS, enter=True)


def costs(turns: int) -> None:
    found: dict[str, list[float]] = {}
    for turn in range(turns + 1):
        for name, (act, count, options) in ways().items():
            use(options)
            cost = timed(act, count)
            # The first turn is a warm-up.
            if turn:
                found.setdefault(name, []).append(cost)
    show_table(("", "µs"), [(name, f"{median(values):,.0f}") for name, values in found.items()])


def one_relay(name: str, looked: Barrier) -> None:
    """Run a relay until this process is killed.

    After its first step, the relay waits at the barrier ``looked``, so that all relays begin together.
    """
    django.setup()
    from queueing import get_client
    from queueing.worker.relay import Relay

    relay = Relay(get_client(), ["default"], name=name)
    relay.step()
    looked.wait()
    while True:
        time.sleep(relay.step())


def stage(rows: int) -> None:
    """Write ``rows`` staged messages that are not sent, as if their processes had died after the commit."""
    from django.db import transaction

    from queueing.messages import Draft
    from queueing.transactional import staging

    use({"enqueue": "transaction"})
    body = '{"django_task":1,"task":"benchmarks.task_app.tasks.nothing","args":[1],"kwargs":{}}'
    staging._send = lambda *_: None
    note(f"staging {rows:,} rows")
    for _ in range(rows // 100):
        with transaction.atomic():
            for _ in range(100):
                staging.stage("default", [Draft(body=body)], task_queue="default")


def relays(rows: int, count: int) -> None:
    """Stage ``rows`` messages, and print how fast ``count`` relays send them. One relay works at a time."""
    from django.db import connections

    from queueing import get_client
    from queueing.models import StagedMessage

    stage(rows)
    connections.close_all()
    before = get_client().get_queue_attributes("default").totalsent
    spawn = multiprocessing.get_context("spawn")
    looked = spawn.Barrier(count + 1)
    processes = [spawn.Process(target=one_relay, args=(f"relay-{n}", looked)) for n in range(count)]
    for process in processes:
        process.start()
    looked.wait()
    start = time.perf_counter()
    while StagedMessage.objects.exists():
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    cpu = sum(sum(psutil.Process(process.pid).cpu_times()[:2]) for process in processes)
    for process in processes:
        process.kill()
        process.join()
    assert get_client().get_queue_attributes("default").totalsent - before == rows
    per_minute = f"{rows / seconds * 60:,.0f} a minute"
    say(f"{count} relays: {rows:,} rows in {seconds:.1f} s, CPU {cpu:.1f} s, {per_minute}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.staged")
    parser.add_argument("--turns", type=int, default=5, help="turns of each way (%(default)s)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows for the relay (%(default)s)")
    parser.add_argument("--relays", type=int, default=3, help="relays at once, after one (%(default)s)")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with empty_server() as server, database(options.postgres) as url:
        for name, value in site_environment(server.url, url).items():
            if value is not None:
                os.environ[name] = value
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        say(f"{'PostgreSQL' if options.postgres else 'SQLite'}, {versions(server)}\n")
        costs(options.turns)
        say()
        for count in (1, options.relays):
            relays(options.rows, count)
        from django.db import connections

        connections.close_all()


if __name__ == "__main__":
    main()
