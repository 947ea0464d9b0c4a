"""The settings dict ``QUEUEING``, read once into a frozen dataclass: every default stands here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from . import conf_rules

LogFormat = Literal["text", "json"]
LOG_FORMATS = get_args(LogFormat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """What a project can set. Seconds unless the name says otherwise."""

    #: Redis address: ``redis://``, ``rediss://`` or ``unix://``.
    URL: str = field(default="redis://127.0.0.1:6379/0", repr=False)  # It may contain a password.
    #: Whether the certificate of a ``rediss://`` server is checked.
    TLS_VERIFY: bool = True
    #: Prefix of every key; RSMQ's own default.
    NAMESPACE: str = "rsmq"
    #: Queues that are created where they are missing.
    QUEUES: tuple[str, ...] = ()
    #: How long a worker's claim lasts without being extended.
    LEASE: float = 10.0
    #: How long a stopping worker lets its running jobs finish.
    GRACE: float = 25.0
    #: Child processes of a worker, and jobs at a time in each.
    PROCESSES: int = 1
    THREADS: int = 1
    #: Messages after which a child is replaced by a new one, and megabytes above which it is; 0: never.
    MAX_JOBS: int = 0
    MAX_MEMORY: int = 0
    #: Name of a worker; empty: host and process.
    WORKER_NAME: str = ""
    #: ``text``, or ``json`` for one object a line.
    LOG_FORMAT: LogFormat = "text"
    #: A file that a worker touches as long as it lives and Redis answers; empty: none.
    HEALTH_FILE: str = ""
    #: Handled failures after which a message is dead, where no policy says otherwise.
    MAX_ATTEMPTS: int = 5
    #: Crashes of its process after which a message is dead.
    MAX_CRASHES: int = 3
    #: Processed jobs are kept in the database for so many days …
    HISTORY_DAYS: int = 30
    #: … and so many rows at the most.
    HISTORY_ROWS: int = 100_000
    #: Whether the payload is kept with a processed job.
    STORE_BODIES: bool = True
    #: What /metrics and /queues.json are asked with; empty: they answer in development only.
    METRICS_TOKEN: str = field(default="", repr=False)
    #: Values whose names contain one of these are not shown. Case, ``-`` and ``_`` do not matter.
    REDACT: tuple[str, ...] = (
        *("password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "credential"),
        *("api_key", "access_key", "private_key", "cookie", "session_id"),
    )
    #: Bytes of outcomes that may wait in Redis while the database is away.
    OUTBOX_MAX: int = 8_000_000
    #: How long connecting to Redis, or one answer of it, may take.
    TIMEOUT: float = 5.0
    #: Connections one process may have open to Redis, apart from the one that listens.
    MAX_CONNECTIONS: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "QUEUES", tuple(self.QUEUES))
        object.__setattr__(self, "HEALTH_FILE", os.fspath(self.HEALTH_FILE))
        object.__setattr__(self, "REDACT", tuple(name.lower() for name in self.REDACT if name))


def read(values: Any) -> Conf:
    """The configuration of a ``QUEUEING`` dict.

    Raises ``ImproperlyConfigured`` with a sentence for everything that is wrong with it.
    """
    if found := list(problems(values)):
        raise ImproperlyConfigured(" ".join(f"{one.text} {one.hint}".strip() for one in found))
    return Conf(**values)


def problems(values: Any) -> Iterator[conf_rules.Problem]:
    """The problems of a ``QUEUEING`` dict."""
    return conf_rules.problems(fields(Conf), values)


def raw() -> Any:
    """The setting as the project wrote it."""
    return getattr(settings, "QUEUEING", {})


@cache
def get_conf() -> Conf:
    """The configuration of this project."""
    return read(raw())


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "QUEUEING":
        get_conf.cache_clear()


setting_changed.connect(_forget)
