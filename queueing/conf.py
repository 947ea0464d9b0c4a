"""The settings: the dict ``QUEUEING``, read once into a frozen ``Config`` that has the defaults.

Each setting has the type of its default, and bounds. The system check reports invalid values. ``read`` raises
an error for such values, too, because a web server runs no checks. The module also reads ``TASKS``, without
importing Django's tasks: on Django 5.2 they need a backport, which a project without tasks need not install.
"""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from .broker import address, places, rsmq_values
from .broker.keys import LOW_PRIORITY, is_dead_letter_queue
from .exceptions import QueueError
from .policies import limits

LogFormat = Literal["text", "json"]
LOG_FORMATS = get_args(LogFormat)
#: The outcomes of a queue that the history keeps: all, those of messages that have failed, or none.
HISTORY_WORDS = ("all", "failed", "none")
#: One of these words for all queues, or a dict with a word for each queue; ``*`` stands for all other queues.
History = str | Mapping[str, str]
#: The largest number of days in a setting, so that every date that is computed from it is valid, and the
#: largest value of all other settings with whole numbers.
MAX_DAYS, MAX_WHOLE = 36_500, 10**15
#: Settings that may be 0 although their default is not.
MAY_BE_ZERO = frozenset({"GRACE"})
#: Text settings that may also be a path object.
PATHS = frozenset({"HEALTH_FILE"})
SHOWN_MAX = 40
#: The dotted path of this package's backend in ``TASKS``. A path that begins with one of ``OTHER_BACKENDS``
#: names a backend of Django or its backport, so it cannot be this package's backend.
BACKEND = "queueing.tasks_backend.RSMQBackend"
OTHER_BACKENDS = ("django.tasks.", "django_tasks.")


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid value. ``id`` is the id of its system check."""

    id: str
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a project (fields in capitals), and the options of one worker. Times are in seconds."""

    #: Redis address: ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``, ``redis+cluster://``.
    URL: str = field(default="redis://127.0.0.1:6379/0", repr=False)  # It may contain a password.
    #: Whether the certificate of a ``rediss://`` server is checked.
    TLS_VERIFY: bool = True
    #: Prefix of every key. The default is that of RSMQ.
    NAMESPACE: str = "rsmq"
    #: Further namespaces for queues, such as ``{"eu": {"URL": "redis://eu:6379/0", "NAMESPACE": "rsmq"}}``. A
    #: missing URL or NAMESPACE is that of the ``default`` partition.
    PARTITIONS: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    #: The partition by queue name or pattern, such as ``{"mail-*": "eu"}``. Other queues are on ``default``.
    PLACES: Mapping[str, str] = field(default_factory=dict)
    #: Queues that are created if they are missing.
    QUEUES: tuple[str, ...] = ()
    #: Limits of queues over all workers, such as ``{"emails": {"rate": "10/s", "concurrency": 3}}``.
    LIMITS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: How long a worker's claim lasts without being extended.
    LEASE: float = 10.0
    #: How long a stopping worker lets its running jobs finish.
    GRACE: float = 25.0
    #: Child processes of a worker.
    PROCESSES: int = 1
    #: Jobs that run at a time in each child process.
    THREADS: int = 1
    #: A child is replaced by a new one after it has claimed this number of messages; 0: no limit.
    MAX_JOBS: int = 0
    #: A child is replaced by a new one if it uses more than this number of megabytes; 0: no limit.
    MAX_MEMORY: int = 0
    #: Name of a worker; empty: host and process.
    WORKER_NAME: str = ""
    #: ``text``, or ``json`` for one object a line.
    LOG_FORMAT: LogFormat = "text"
    #: Whether the log has a line for every message, even for a short run.
    LOG_JOBS: bool = False
    #: A file that a worker touches as long as it lives, whether Redis answers or not; empty: none.
    HEALTH_FILE: str = ""
    #: Failed attempts after which a message is dead, unless its policy has ``max_attempts``.
    MAX_ATTEMPTS: int = 5
    #: A message is dead after its child process has died this many times while running it. If the whole
    #: worker dies with the child, three times as many deaths are permitted.
    MAX_CRASHES: int = 3
    #: Outcomes that the database keeps: ``all``, ``failed``, ``none``, or a dict with a word for each queue.
    HISTORY: History = "all"
    #: Days for which the database keeps processed jobs.
    HISTORY_DAYS: int = 30
    #: The maximum number of processed jobs in the database. If there are more, the oldest are deleted.
    HISTORY_ROWS: int = 100_000
    #: Whether the payload is kept with a processed job.
    STORE_BODIES: bool = True
    #: The token that /metrics and /queues.json require; empty: they answer in development only.
    METRICS_TOKEN: str = field(default="", repr=False)
    #: A value is hidden if its name contains one of these texts (``auth`` and ``otp``: ends with it). Case,
    #: ``-`` and ``_`` do not matter.
    REDACT: tuple[str, ...] = (
        *("password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "credential"),
        *("api_key", "access_key", "private_key", "cookie", "session_id", "auth", "otp", "otp_code"),
    )
    #: Bytes of outcomes that may wait in Redis while the database is away.
    OUTBOX_MAX: int = 8_000_000
    #: Replicas that must confirm a send before it is acknowledged; 0: none.
    DURABLE: int = 0
    #: Databases in which transactions stage messages, and from which workers send them. If a backend in
    #: ``TASKS`` has ``"enqueue": "transaction"``, the default is the database of the app's models.
    RELAY_DATABASES: tuple[str, ...] = ()
    #: The time limit for a connection attempt to Redis, and for one reply.
    TIMEOUT: float = 5.0
    #: The most connections of one process to Redis, without the connection that listens for new messages.
    MAX_CONNECTIONS: int = 2

    #: The partition of ``URL`` and ``NAMESPACE``.
    partition: str = places.DEFAULT
    #: The queues whose messages this worker processes.
    queues: tuple[str, ...] = ()
    #: How many times the worker claims from a queue in each round over its queues, if more than once.
    weights: Mapping[str, int] = field(default_factory=dict)
    #: Whether the worker claims from a queue only if nothing is due in the queues named before it.
    strict: bool = False
    #: Whether the worker also processes queues to which tasks are sent for the first time while it runs.
    takes_new_queues: bool = False
    #: Whether the worker exits as soon as nothing is due.
    burst: bool = False
    #: The file descriptor of a pipe's read end. The worker stops when the write end is closed.
    parent: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "QUEUES", tuple(self.QUEUES))
        object.__setattr__(self, "RELAY_DATABASES", tuple(self.RELAY_DATABASES))
        object.__setattr__(self, "HEALTH_FILE", os.fspath(self.HEALTH_FILE))
        object.__setattr__(self, "REDACT", tuple(name.lower() for name in self.REDACT if name))

    @property
    def partitions(self) -> tuple[str, ...]:
        return (places.DEFAULT, *self.PARTITIONS)

    def at(self, partition: str) -> "Config":
        """A copy of the settings with the address and the namespace of one partition."""
        address: Any = self.PARTITIONS.get(partition, {})
        return replace(self, partition=partition, **address)

    def place_of(self, queue: str) -> str:
        """The name of the partition that has ``queue`` (see ``PLACES``)."""
        return places.place_of(self.PLACES, queue)

    def history_of(self, queue: str) -> str:
        """The value of ``HISTORY`` for ``queue``: ``all``, ``failed`` or ``none``.

        If ``HISTORY`` does not name a low-priority queue, the value of its main queue applies.
        """
        if isinstance(self.HISTORY, str):
            return self.HISTORY
        for name in (queue, queue.removesuffix(LOW_PRIORITY), "*"):
            if name in self.HISTORY:
                return self.HISTORY[name]
        return "all"


#: The settings by name: the fields in capitals.
SETTINGS: dict[str, Field[Any]] = {field.name: field for field in fields(Config) if field.name.isupper()}


def read(values: Any) -> Config:
    """Make a ``Config`` of a ``QUEUEING`` dict.

    Raises ``ImproperlyConfigured`` with a sentence for each invalid value.
    """
    if found := list(problems(values)):
        raise ImproperlyConfigured(" ".join(f"{one.text} {one.hint}".strip() for one in found))
    return Config(**values)


def problems(values: Any) -> Iterator[Problem]:
    """Yield a ``Problem`` for each unknown name and each invalid value in the dict ``values``."""
    if not isinstance(values, Mapping):
        yield Problem("queueing.E001", f"QUEUEING must be a dict, not {type(values).__name__}.")
        return
    if unknown := sorted(str(name) for name in values if name not in SETTINGS):
        names = f"{', '.join(unknown)}. It knows: {', '.join(sorted(SETTINGS))}."
        yield Problem("queueing.E001", f"QUEUEING has no setting {names}")
    for name, value in values.items():
        if name in SETTINGS:
            yield from _of_value(SETTINGS[name], value)
    url, namespace = (str(values.get(name, SETTINGS[name].default)) for name in places.OPTIONS)
    partitions, named = values.get("PARTITIONS", {}), values.get("PLACES", {})
    yield from (Problem(*one) for one in places.problems(partitions, named, url, namespace))


def raw() -> Any:
    """The setting ``QUEUEING`` as the project wrote it."""
    return getattr(settings, "QUEUEING", {})


@cache
def get_conf() -> Config:
    """The configuration of this project."""
    return read(raw())


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "QUEUEING":
        get_conf.cache_clear()


setting_changed.connect(_forget)


def may_name_backend() -> bool:
    """Whether a backend in ``TASKS`` may be ``RSMQBackend`` or a subclass (see ``OTHER_BACKENDS``)."""
    return any(not path.startswith(OTHER_BACKENDS) for path in _backends())


def names_backend() -> bool:
    """Whether ``TASKS`` names ``RSMQBackend`` itself. Subclasses do not count."""
    return BACKEND in _backends()


def stages_tasks() -> bool:
    """Whether a backend in ``TASKS`` has the option ``"enqueue": "transaction"``."""
    options = [params.get("OPTIONS") for params in _entries()]
    return any(isinstance(one, Mapping) and one.get("enqueue") == "transaction" for one in options)


def _backends() -> Iterator[str]:
    return (str(params.get("BACKEND", "")) for params in _entries())


def _entries() -> Iterator[dict[str, Any]]:
    tasks: Any = getattr(settings, "TASKS", None)
    for params in tasks.values() if isinstance(tasks, dict) else ():
        yield params if isinstance(params, dict) else {}


def _of_value(field: Field[Any], value: Any) -> Iterator[Problem]:
    where = f'QUEUEING["{field.name}"]'
    if field.type in (int, float):
        if wanted := _unmet_bounds(field, value):
            yield Problem("queueing.E002", f"{where} must be {wanted}, not {_shown(value)}.")
    elif field.type is bool:
        if not isinstance(value, bool):
            yield Problem("queueing.E008", f"{where} must be True or False, not {_shown(value)}.")
    elif field.type == History:
        yield from _of_history(where, value)
    elif field.type is str:
        if not (isinstance(value, str) or (field.name in PATHS and isinstance(value, os.PathLike))):
            # The error names only the type of the value, because the value may be a secret.
            yield Problem("queueing.E008", f"{where} must be a text, not {type(value).__name__}.")
        elif field.name == "URL":
            yield from _of_address(where, str(value))
    elif get_origin(field.type) is Literal:
        words = get_args(field.type)
        if value not in words:
            yield Problem("queueing.E007", f"{where} must be {' or '.join(words)}, not {_shown(value)}.")
    elif field.type == tuple[str, ...]:
        yield from _of_list(field.name, where, value)
    elif field.name == "LIMITS":
        yield from _of_limits(where, value)


def _unmet_bounds(field: Field[Any], value: Any) -> str:
    """Return the bounds of a setting in words if ``value`` is outside of the bounds, else ``""``."""
    is_number = isinstance(value, field.type | int) and not isinstance(value, bool)
    from_zero = not field.default or field.name in MAY_BE_ZERO
    if field.type is float:
        most, wanted = rsmq_values.MAX_SECONDS, "a number from 0" if from_zero else "a number above 0"
        is_met = is_number and math.isfinite(value) and (value >= 0 if from_zero else value > 0)
    else:
        most = MAX_DAYS if field.name.endswith("_DAYS") else MAX_WHOLE
        least = 0 if from_zero else 1
        wanted, is_met = f"a whole number from {least}", is_number and value >= least
    return "" if is_met and value <= most else f"{wanted} up to {most}"


def _of_address(where: str, url: str) -> Iterator[Problem]:
    try:
        address.options_of(url)
    except ValueError as error:
        yield Problem("queueing.E005", f"{where} is not the address of a Redis.", str(error))


def _of_history(where: str, value: Any) -> Iterator[Problem]:
    words = list(value.values()) if isinstance(value, Mapping) else [value]
    for word in words:
        if word not in HISTORY_WORDS:
            text = f"{where} must be {' or '.join(HISTORY_WORDS)}, or a dict of them, not {_shown(word)}."
            yield Problem("queueing.E007", text)
    for queue in value if isinstance(value, Mapping) else ():
        if queue != "*" and (problem := _of_name("HISTORY", queue)):
            yield problem


def _of_list(name: str, where: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        hint = f"Write [{value!r}]." if value.isprintable() else ""
        yield Problem("queueing.E008", f"{where} must be a list of texts, not a text.", hint)
    elif not isinstance(value, list | tuple | set | frozenset):
        yield Problem("queueing.E008", f"{where} must be a list of texts, not {_shown(value)}.")
    elif wrong := [one for one in value if not isinstance(one, str)]:
        yield Problem("queueing.E008", f"{where} must be a list of texts: {_shown(wrong[0])} is not a text.")
    elif name == "QUEUES":
        yield from filter(None, map(_of_queue, value))


def _of_limits(where: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem("queueing.E014", f"{where} must be a dict of queues, not {_shown(value)}.")
    for queue, limit in value.items() if isinstance(value, Mapping) else ():
        if problem := _of_name("LIMITS", queue):
            yield problem
        elif not isinstance(limit, Mapping) or not limit or set(limit) - set(limits.NAMES):
            hint = 'Write {"emails": {"rate": "10/s", "concurrency": 3}}, or one of the two.'
            yield Problem("queueing.E014", f"{where} has no limit for {_shown(queue)}.", hint)
        elif wrong := limits.problem(limit.get("rate"), limit.get("concurrency")):
            yield Problem("queueing.E014", f"{where}: {_shown(queue)}: {wrong}")


def _of_name(setting: str, queue: Any) -> Problem | None:
    try:
        rsmq_values.qname(queue if isinstance(queue, str) else "")
    except QueueError as error:
        text = f'QUEUEING["{setting}"]: {error}: {_shown(queue)}.'
        return Problem("queueing.E003", text, "A name has 1 to 160 letters, digits, - and _.")
    return None


def _of_queue(queue: str) -> Problem | None:
    if problem := _of_name("QUEUES", queue):
        return problem
    if is_dead_letter_queue(queue):
        hint = "Names that end in -dead belong to dead-letter queues; those are made when needed."
        return Problem("queueing.E004", f'QUEUEING["QUEUES"] names {queue}.', hint)
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
