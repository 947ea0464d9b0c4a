"""The ``OPTIONS`` of the backend in ``TASKS``, read without Redis and without models."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from django.utils.module_loading import import_string

from queueing.policies import Policy, policy_of, valid_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The values of ``OPTIONS``. Durations are in seconds.

    ``@policy`` overrides ``max_attempts``, ``backoff`` and ``timeout``.
    """

    #: A task is dead after this many failed attempts. Crashes do not count. ``None`` means the setting
    #: ``MAX_ATTEMPTS``.
    max_attempts: int | None = None
    #: Seconds between attempts, or a function that returns them for the exception and the ``TaskResult``, or
    #: the dotted path of such a function.
    backoff: float | str | Callable[[BaseException, Any], float] | None = None
    #: The seconds that one run may take.
    timeout: float | None = None
    #: Whether a task that is enqueued in a transaction is sent at the commit.
    enqueue_on_commit: bool = True
    #: With ``transaction``, a task is written to the database in the caller's transaction and sent after the
    #: commit.
    enqueue: str | None = None
    #: Seconds for which a result is available after the end of its task. ``None`` means as long as the
    #: history keeps it.
    result_ttl: float | None = None
    #: Modules with tasks that workers import in addition to the module ``tasks`` of every installed app.
    modules: tuple[str, ...] = ()

    def policy_for(self, function: Callable[..., Any]) -> Policy:
        """The policy of a function. Values that its ``@policy`` does not set are taken from these options."""
        own = policy_of(function)
        backoff = import_string(self.backoff) if isinstance(self.backoff, str) else self.backoff
        return replace(
            own,
            max_attempts=self.max_attempts if own.max_attempts is None else own.max_attempts,
            backoff=backoff if own.backoff is None else own.backoff,
            timeout=self.timeout if own.timeout is None else own.timeout,
        )


NAMES = tuple(field.name for field in fields(TaskOptions))


def read(options: Mapping[str, Any]) -> TaskOptions:
    """Read the valid options. Invalid ones are left out, because the system check reports them."""
    wrong = {name for name, _ in problems(options)}
    known = {name: value for name, value in options.items() if name in NAMES and name not in wrong}
    if "modules" in known:
        known["modules"] = tuple(known["modules"])
    return TaskOptions(**known)


def problems(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each invalid option, and its problem as the end of a sentence."""
    for name, value in options.items():
        if name not in NAMES:
            yield name, " ".join(f"is unknown. {meant(name, NAMES)} Known are: {', '.join(NAMES)}.".split())
        elif name in ("timeout", "result_ttl") and not _is_positive(value, int | float):
            yield name, "must be a number of seconds above 0, or None."
        elif name == "max_attempts" and not _is_positive(value, int):
            yield name, "must be a whole number from 1, or None."
        elif name == "enqueue_on_commit" and not isinstance(value, bool):
            yield name, "must be True or False."
        elif name == "enqueue" and value not in (None, "transaction"):
            yield name, 'must be "transaction" or None.'
        elif name == "modules" and not _are_names(value):
            yield name, "must be a list of names of modules."
        elif name == "backoff" and (problem := _problem_of_backoff(value)):
            yield name, problem


def meant(name: object, known: Iterable[str]) -> str:
    """A sentence with the name in ``known`` that is closest to ``name``, ``""`` if none is close."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(str(name).lower(), by_lower, n=1)
    return f"Instead of {name}, {by_lower[found[0]]} may be meant." if found else ""


def _is_positive(value: Any, kind: Any) -> bool:
    return value is None or (isinstance(value, kind) and not isinstance(value, bool) and value > 0)


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _problem_of_backoff(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            return f"cannot be imported: {error}."
        if not callable(value):
            return "names something that is not a function."
    if value is None or callable(value):
        return ""
    with suppress(TypeError, ValueError):
        valid_seconds(value)
        return ""
    return "must be a number of seconds, a function of exception and result, or the path of one."
