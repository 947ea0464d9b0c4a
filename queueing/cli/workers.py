"""Verbs for workers and what they have recorded: workers, quiet-worker, resume-worker, take-note."""

import dataclasses
from argparse import ArgumentParser, Namespace
from typing import Any

from django.db import DatabaseError

from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.history import ownership, writer
from queueing.monitoring.workers import Worker, quiet_worker, read_workers, resume_worker

from .base import Verb, add_json
from .output import Refused, Screen, counted, duration, size, warn

COLUMNS = ("worker", "state", "host", "pid", "version", "up", "busy", "memory", "trip", "beat", "queues")


class Workers(Verb):
    name = "workers"
    help = "who works, where, on what"
    description = """\
All workers by name: their state (idle, busy, quiet, stale if nothing was heard
of one for 20 seconds, or lost if its supervisor was killed), for how long
they are up, how many messages they run of how many they can (busy), the
memory of their processes, the time of a round trip to Redis, the age of their
last heartbeat and their queues. The lines below show what they run, and for
how long. One that has died stays for an hour. Two of one name have a mark
behind it, which tells them apart."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_json(parser, "an array with an object for each worker")

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        workers = read_workers(client.session)
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
    help = "let a worker claim nothing more"
    description = """\
Let a worker claim nothing until it is resumed or ends; what it runs goes on.
It hears of it with its next heartbeat, within some seconds. A worker that is
started again under the same name works as usual."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        _add_name(parser)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known(quiet_worker(client.session, options.worker), options.worker)
        screen.say(f"The worker {options.worker} claims nothing from its next heartbeat on.")


class ResumeWorker(Verb):
    name = "resume-worker"
    help = "let a quiet worker claim again"
    description = """\
Let a quiet worker claim messages again, from its next heartbeat on."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        _add_name(parser)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known(resume_worker(client.session, options.worker), options.worker)
        screen.say(f"The worker {options.worker} claims again from its next heartbeat on.")


class TakeNote(Verb):
    name = "take-note"
    help = "end the warning about outcomes that are lost by now"
    description = """\
Take note of the outcomes of jobs that are missing in the history, because they
did not fit into the outbox or could not be read there. The warning about those
that are lost by now goes away."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """None: there is one outbox."""

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        count = outbox.acknowledge(client.session, outbox.stats(client.session).lost)
        screen.say(f"Took note of {counted(count, 'lost outcome')}.")


class TakeOutbox(Verb):
    name = "take-outbox"
    help = "let this project's database own the outbox"
    description = """\
Let this project's database own the outbox, into which workers write outcomes
on their way to the history. Do this when the project has a new database. Two
projects on one Redis need a namespace each: see QUEUEING["NAMESPACE"]."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """None: there is one outbox."""

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        try:
            ownership.take(client)
        except DatabaseError as error:
            raise Refused(f"The database refused it: {writer.sentence(error)}.") from error
        screen.say(f"The outbox of the namespace {client.keys.ns} belongs to this project's database now.")


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument(
        "worker",
        metavar="NAME",
        help="name of the worker, as the verb workers prints it; all of a name without its mark",
    )


def _known(is_there: bool, name: str) -> None:
    if not is_there:
        raise Refused(f'There is no worker named {name}: "manage.py queues workers" shows those there are.')


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


def _running(worker: Worker) -> list[str]:
    return [
        f"  {child.name}  {run.id}  {run.queue}  {duration(_run_seconds(worker, run.started_ms))}"
        for child in worker.children
        for run in child.running
    ]


def _run_seconds(worker: Worker, started_ms: float) -> float:
    """For how long it has run, as far as the last heartbeat tells."""
    return max(0.0, worker.last_beat_ms - started_ms) / 1000


def _as_json(worker: Worker) -> dict[str, Any]:
    """One worker for programs, with what follows from its fields."""
    words = {"state": worker.state, "busy": worker.busy, "capacity": worker.capacity}
    return {"name": worker.name, **words, **dataclasses.asdict(worker)}
