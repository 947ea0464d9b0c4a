"""The subcommands workers, quiet-worker, resume-worker, take-note and take-outbox of ``manage.py queues``.

The last two concern the outbox, in which outcomes of jobs wait in Redis for the database: ``take-note``
acknowledges lost outcomes, and ``take-outbox`` makes this project's database the owner of the outbox.
"""

import dataclasses
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from queueing.client import QueueClient
from queueing.history import ownership
from queueing.monitoring import outboxes
from queueing.monitoring.workers import Worker, all_workers, quiet_worker, resume_worker

from .base import Verb, arg, json
from .output import Refused, Screen, counted, duration, size, warn

COLUMNS = ("worker", "state", "host", "pid", "version", "up", "busy", "memory", "trip", "beat", "queues")
NAME = arg(
    "worker",
    metavar="NAME",
    help="name as the verb workers prints it; without its mark, all workers of that name",
)


class Workers(Verb):
    name = "workers"
    lists = True
    help = "all workers with their running messages"
    description = """\
List all workers by name, with these columns: state, uptime, number of running
messages and of those that can run at a time (busy), memory of all processes,
time of a round trip to Redis, age of the last heartbeat, and queues.

The state is idle, busy, quiet, stale (no heartbeat for 20 seconds) or lost
(its supervisor was killed). The lines below a worker show its running messages
and their run times. A dead worker stays for an hour. Workers that share a name
have a mark after it."""
    arguments = (json("an array with an object for each worker"),)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        workers = all_workers(client)
        if options.json:
            screen.json([_as_json(worker) for worker in workers])
            return
        if not workers:
            screen.say('There is no worker: "manage.py queues work" starts one.')
            warn(client, screen)
            return
        screen.table([COLUMNS, *map(_words, workers)], right=False)
        for worker in workers:
            for line in _running(worker):
                screen.say(line)
        warn(client, screen)


class QuietWorker(Verb):
    name = "quiet-worker"
    help = "stop a worker from claiming messages"
    description = """\
Ask a worker to claim no messages until it is resumed or ends. Its running
messages continue. It receives the request with its next heartbeat, within some
seconds. A new worker of the same name is not affected."""
    arguments = (NAME,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known([quiet_worker(part.session, options.worker) for part in client.parts], options.worker)
        screen.say(f"The worker {options.worker} claims nothing from its next heartbeat on.")


class ResumeWorker(Verb):
    name = "resume-worker"
    help = "let a quiet worker claim again"
    description = """\
Let a quiet worker claim messages again, from its next heartbeat on."""
    arguments = (NAME,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known([resume_worker(part.session, options.worker) for part in client.parts], options.worker)
        screen.say(f"The worker {options.worker} claims again from its next heartbeat on.")


class TakeNote(Verb):
    name = "take-note"
    help = "acknowledge lost outcomes, which ends their warning"
    description = """\
Acknowledge the outcomes of jobs that are missing in the history, because they
did not fit into the outbox or could not be read there. This ends the warning
about them. Outcomes that are lost later give a new one."""
    arguments = ()

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        count = outboxes.acknowledge(client)
        screen.say(f"Took note of {counted(count, 'lost outcome')}.")


class TakeOutbox(Verb):
    name = "take-outbox"
    help = "make this project's database the owner of the outbox"
    description = """\
Make this project's database the owner of the outbox, in which outcomes wait
for the history. Do this if the project has a new database. Two projects on one
Redis need a namespace each: see QUEUEING["NAMESPACE"]."""
    arguments = ()

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        for part in client.parts:
            ownership.take(part)
        for part in client.parts:
            screen.say(f"The outbox of the namespace {part.keys.ns} belongs to this project's database now.")


def _known(were_there: list[bool], name: str) -> None:
    if not any(were_there):
        raise Refused(f'There is no worker named {name}: "manage.py queues workers" lists all workers.')


def _words(worker: Worker) -> tuple[str, ...]:
    return (
        worker.name,
        worker.state + (" (will be quiet)" if worker.is_quiet_wanted and not worker.is_quiet else ""),
        worker.host or "-",
        str(worker.pid or "-"),
        worker.version or "-",
        duration((worker.last_beat_ms - worker.started_ms) / 1000),
        f"{worker.busy} of {worker.capacity}",
        size(worker.memory_bytes) if worker.memory_bytes else "-",
        f"{worker.round_trip_ms:.1f}ms" if worker.round_trip_ms else "-",
        duration(worker.age_seconds),
        ", ".join(worker.queues) or "-",
    )


def _running(worker: Worker) -> Iterator[str]:
    for child in worker.children:
        for run in child.running:
            ran_seconds = max(0.0, worker.last_beat_ms - run.started_ms) / 1000
            yield f"  {child.name}  {run.id}  {run.queue}  {duration(ran_seconds)}"


def _as_json(worker: Worker) -> dict[str, Any]:
    words = {"state": worker.state, "busy": worker.busy, "capacity": worker.capacity}
    return {"name": worker.name, **words, **dataclasses.asdict(worker)}
