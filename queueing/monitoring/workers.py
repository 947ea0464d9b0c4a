"""The records of workers in Redis: heartbeats, running messages, and requests to claim no more (quiet).

Other programs can write to Redis, so malformed values are left out. A worker with an unreadable record is
still listed, because the record shows that a worker with this name exists or existed.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from queueing.broker import decode, rsmq_values
from queueing.broker.scripts import Call
from queueing.broker.session import Session
from queueing.client import QueueClient

#: A worker without a heartbeat for longer than this has died or cannot reach Redis.
ALIVE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RunningMessage:
    """A message that ran at the last heartbeat. ``started_ms`` is ms since 1970 by Redis' clock."""

    id: str
    queue: str
    started_ms: float


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A child process of a worker, and its memory in bytes (0 if unknown)."""

    name: str
    pid: int
    memory_bytes: int
    running: tuple[RunningMessage, ...]


def registration(name: str, token: str) -> str:
    """The name of a worker's field in the hash ``keys.workers``.

    ``token`` is unique for each start of a worker, so workers with the same ``name`` have different fields.
    """
    return f"{name}#{token[:6]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker at its last heartbeat, ``age_seconds`` ago. Times are ms since 1970 by Redis' clock.

    - ``key`` is unique for each start of a worker, unlike the name.
    - ``memory_bytes`` is the memory of all its processes, 0 if unknown. Shared memory counts once if the
      system reports it.
    - ``is_quiet`` is true if the worker claims no messages. ``is_quiet_wanted`` is true if a user has asked
      for that. The worker receives this request with its next heartbeat.
    - ``is_lost`` is true if its supervisor, the first process of the worker, was killed.
    """

    name: str
    key: str
    last_beat_ms: float
    age_seconds: float
    host: str = ""
    pid: int = 0
    version: str = ""
    token: str = ""
    started_ms: float = 0.0
    queues: tuple[str, ...] = ()
    processes: int = 0
    threads: int = 0
    memory_bytes: int = 0
    round_trip_ms: float = 0.0
    is_quiet: bool = False
    is_quiet_wanted: bool = False
    is_lost: bool = False
    children: tuple[WorkerProcess, ...] = ()

    @property
    def given_name(self) -> str:
        """The name with which the worker was started. Several workers can share it."""
        return self.key.removesuffix(registration("", self.token))

    @property
    def is_alive(self) -> bool:
        return not (self.is_stale or self.is_lost)

    @property
    def is_stale(self) -> bool:
        """Whether the last heartbeat is too old. The worker stays in the list for an hour."""
        return self.age_seconds > ALIVE_SECONDS

    @property
    def capacity(self) -> int:
        """The number of messages that the worker can run at the same time."""
        return self.processes * self.threads

    @property
    def busy(self) -> int:
        """The number of messages that ran at the last heartbeat."""
        return sum(len(child.running) for child in self.children)

    @property
    def state(self) -> str:
        """The state as a word: ``lost``, ``stale``, ``quiet``, ``busy`` or ``idle``."""
        if self.is_lost:
            return "lost"
        if self.is_stale:
            return "stale"
        if self.is_quiet:
            return "quiet"
        return "busy" if self.busy else "idle"


@dataclass(frozen=True, slots=True)
class Heard:
    """The reply to a heartbeat.

    ``queues`` are the names of all queues if this worker must sample them now, else ``None``.
    ``task_queues`` are the queues to which tasks were sent, empty if the worker did not ask for them.
    """

    is_quiet: bool
    queues: list[str] | None
    task_queues: list[str]
    #: Whether the keeper process must check for unsent follow-up messages of chains and batches.
    has_follow_ups: bool = False


def read_workers(session: Session) -> list[Worker]:
    """The workers that run or have died, sorted by name. A dead worker is listed for an hour."""
    now_ms, *told = session.call(Call("workers", _keys(session)))
    triples = zip(told[::3], told[1::3], told[2::3], strict=True)
    return told_apart(read_worker(key, stored, token, int(now_ms)) for key, stored, token in triples)


def all_workers(client: QueueClient) -> list[Worker]:
    """The workers of all partitions that run or have died (see ``read_workers``)."""
    if not client.routing:
        return read_workers(client.session)
    found = [worker for part in client.parts for worker in read_workers(part.session)]
    return told_apart(replace(worker, name=worker.key) for worker in found)


def quiet_worker(session: Session, name: str) -> bool:
    """Ask a worker to claim no messages from its next heartbeat on. Running messages continue.

    ``name`` is the name or key of a worker. If several workers share the name, all are asked. The request
    lasts as long as the worker runs. Returns whether such a worker exists.
    """
    # If the worker is replaced in this moment, its successor has another token and ignores the request.
    found = [worker for worker in _named(session, name) if worker.token]
    for worker in found:
        _quiet(session, worker.key, worker.token)
    return bool(found)


def resume_worker(session: Session, name: str) -> bool:
    """Ask a quiet worker to claim messages again. Returns whether such a worker exists."""
    found = _named(session, name)
    for worker in found:
        _quiet(session, worker.key, "")
    return bool(found)


def beat(session: Session, worker: str, record: str, token: str, *, asks_task_queues: bool = False) -> Heard:
    """Store the JSON ``record`` as the heartbeat of ``worker`` (its key), with the time of Redis' clock.

    ``token`` is unique for each start of a worker, and is part of the record.
    """
    keys = [*_keys(session), session.keys.sampled(), session.keys.queues(), session.keys.task_queues()]
    keys += [session.keys.follow_ups(), session.keys.opening_batches()]
    call = Call("beat", keys, worker, record, token, int(asks_task_queues))
    is_quiet, is_its_turn, sent_to, left, *names = session.call(call)
    queues = list(map(decode.text, names)) if is_its_turn else None
    return Heard(bool(is_quiet), queues, sorted(map(decode.text, sent_to)), bool(left))


def forget_worker(session: Session, worker: str) -> None:
    """Delete the record of a worker that has shut down. ``worker`` is the key of the record."""
    session.call(Call("forget_worker", _keys(session), worker))


def _named(session: Session, name: str) -> list[Worker]:
    return [worker for worker in read_workers(session) if name in (worker.key, worker.given_name)]


def _quiet(session: Session, key: str, token: str) -> None:
    session.call(Call("quiet_worker", [session.keys.quiet_workers()], key, token))


def _keys(session: Session) -> list[str]:
    return [session.keys.workers(), session.keys.quiet_workers()]


def read_worker(key: bytes, stored: bytes, quiet_token: bytes, now_ms: int) -> Worker:
    """Parse a worker from a field of the hash ``keys.workers``.

    The value ``stored`` has the form ``"<ms of last heartbeat> <JSON>"``.
    """
    beat_text, _, told = stored.partition(b" ")
    beat_ms = decode.integer(beat_text)
    record = decode.record_or_empty(told)
    token = record.text("token")
    return Worker(
        name=decode.text(key),
        key=decode.text(key),
        last_beat_ms=beat_ms,
        age_seconds=max(0.0, now_ms - beat_ms) / 1000,
        host=record.text("host"),
        pid=record.integer("pid"),
        version=record.text("version"),
        token=token,
        started_ms=beat_ms - record.number("uptime_ms"),
        queues=tuple(record.texts("queues")),
        processes=record.integer("processes"),
        threads=record.integer("threads"),
        memory_bytes=record.integer("memory_bytes"),
        round_trip_ms=record.number("round_trip_ms"),
        is_quiet=record.is_true("quiet"),
        is_quiet_wanted=bool(quiet_token) and quiet_token == rsmq_values.encode(token),
        is_lost=record.is_true("lost"),
        children=tuple(map(_child, record.records("children"))),
    )


def told_apart(workers: Iterable[Worker]) -> list[Worker]:
    """Sort workers by name. Workers that share a name get their unique keys as names."""
    workers = list(workers)
    count = Counter(worker.given_name for worker in workers)
    named = [one if count[one.given_name] > 1 else replace(one, name=one.given_name) for one in workers]
    return sorted(named, key=lambda worker: worker.name)


def _child(record: decode.Record) -> WorkerProcess:
    running = tuple(
        RunningMessage(run.text("id"), run.text("queue"), run.number("started_ms"))
        for run in record.records("running")
    )
    memory_bytes = record.integer("memory_bytes")
    return WorkerProcess(record.text("name"), record.integer("pid"), memory_bytes, running)
