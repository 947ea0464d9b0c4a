"""Measures many idle workers on many queues: Redis' time per message, and the time from a send to the job.

Messages with short jobs arrive one by one at a steady rate, so that most of the child processes are idle.
"""

import argparse
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from queueing.client import QueueClient
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, migrate, site_environment

from .server import client_of, empty_server, versions
from .table import note, say, show_table

#: Commands that clients call. Their times include those of the commands inside a script.
CALLS = ("evalsha", "eval", "subscribe", "unsubscribe", "ping", "rpush", "blpop")


class Fleet:
    """Several workers on one Redis, and the measurement of their costs."""

    def __init__(self, server: RedisServer, folder: Path, options: argparse.Namespace) -> None:
        self.server, self.options = server, options
        self.client: QueueClient = client_of(server)
        self.stamps = folder / "stamps"
        self.queues = [f"queue{number}" for number in range(options.queues)]
        database = f"sqlite:///{folder / 'history.sqlite3'}"
        migrate(database)
        self.environment = {
            **site_environment(server.url, database),
            "DJANGO_SETTINGS_MODULE": "benchmarks.fleet_app.settings",
            "FLEET_QUEUES": str(options.queues),
            "JOB_MS": str(options.job_ms),
            "STAMPS": str(self.stamps),
        }

    def worker(self) -> Program:
        children = ["--processes", str(self.options.processes)]
        command = [sys.executable, MANAGE, "runworker", *self.queues, *children]
        return Program(command, env=self.environment, name="runworker")

    def send(self, queue: str, text: str) -> None:
        self.client.send_message(queue, text)

    def count(self) -> int:
        return len(self.stamps.read_bytes().splitlines()) if self.stamps.exists() else 0

    def start(self, stack: ExitStack) -> None:
        """Start the workers, and wait for ``options.rest`` seconds, so that all of them are idle."""
        for queue in self.queues:
            self.client.create_queue(queue)
        for number in range(self.options.workers):
            worker = stack.enter_context(self.worker())
            worker.wait_for_line("worker ", within_seconds=120)
            note(f"{number + 1} of {self.options.workers} workers")
        rests_at = time.monotonic() + self.options.rest
        eventually(lambda: time.monotonic() > rests_at, within_seconds=self.options.rest + 5)

    def pace(self) -> None:
        """Send messages at ``options.rate`` for ``options.seconds``, and wait until all jobs have run."""
        choose = random.Random(1)
        before, count = self.count(), int(self.options.rate * self.options.seconds)
        due = time.monotonic()
        for _ in range(count):
            due += 1 / self.options.rate
            time.sleep(max(0.0, due - time.monotonic()))
            self.send(choose.choice(self.queues), str(time.monotonic_ns()))
        eventually(lambda: self.count() == before + count, within_seconds=60)

    def spent(self) -> dict[str, float]:
        """Redis' counters since its start: calls by clients, µs spent in these calls, and µs of CPU time."""
        commands, cpu = self.client.redis.info("commandstats"), self.client.redis.info("cpu")
        of = [commands.get(f"cmdstat_{name}", {}) for name in CALLS]
        return {
            "calls": sum(one.get("calls", 0) for one in of),
            "scripts_us": sum(one.get("usec", 0) for one in of),
            "cpu_us": 1e6 * (cpu["used_cpu_user"] + cpu["used_cpu_sys"]),
        }

    def waits_ms(self, skip: int) -> list[float]:
        return [int(line) / 1e6 for line in self.stamps.read_bytes().splitlines()[skip:]]


class Lists(Fleet):
    """The same load on Redis lists without a queue system, one process per worker."""

    def worker(self) -> Program:
        command = [sys.executable, "-m", "benchmarks.fleet_app.lists", *self.queues]
        return Program(command, env=self.environment, name="worker of lists")

    def send(self, queue: str, text: str) -> None:
        self.client.redis.rpush(queue, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.fleet")
    parser.add_argument("--workers", type=int, default=20, help="workers (%(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="children of each (%(default)s)")
    parser.add_argument("--queues", type=int, default=200, help="queues of each worker (%(default)s)")
    parser.add_argument("--rate", type=float, default=300, help="messages a second (%(default)s)")
    parser.add_argument("--job-ms", type=float, default=20, help="milliseconds of a job (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="how long to send (%(default)s)")
    parser.add_argument("--rest", type=float, default=10, help="seconds of rest before (%(default)s)")
    parser.add_argument("--lists", action="store_true", help="only RPUSH and BLPOP, which lose messages")
    options = parser.parse_args()
    with empty_server() as server, TemporaryDirectory(prefix="fleet-") as name, ExitStack() as stack:
        fleet = (Lists if options.lists else Fleet)(server, Path(name), options)
        fleet.start(stack)
        fleet.pace()  # A worker handles its first jobs more slowly.
        warm, before = fleet.count(), fleet.spent()
        fleet.pace()
        after, waits = fleet.spent(), fleet.waits_ms(warm)
        show(server, options, {key: (after[key] - before[key]) / len(waits) for key in after}, waits)


def show(
    server: RedisServer, options: argparse.Namespace, each: dict[str, float], waits: list[float]
) -> None:
    say(f"{versions(server)}; {options.workers} workers of {options.processes} on {options.queues} queues")
    say()
    points = quantiles(waits, n=100)
    titles = ["messages/s", "calls/msg", "Redis in calls, µs/msg", "Redis CPU, µs/msg", "p50 ms", "p99 ms"]
    row = [f"{options.rate:g}", f"{each['calls']:.1f}", f"{each['scripts_us']:.0f}", f"{each['cpu_us']:.0f}"]
    show_table(titles, [[*row, f"{points[49]:.1f}", f"{points[98]:.1f}"]])


if __name__ == "__main__":
    main()
