"""Makes the ``TaskResult`` of a task that is sent. Its status is ready."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from queueing.broker import decode, task_body
from queueing.messages import sent_ms

from .compat import Task, TaskResult, TaskResultStatus, normalize_json

#: The types of values that Django's ``normalize_json`` returns unchanged.
_PLAIN = frozenset({str, int, float, bool, type(None)})
#: The arguments that a task may have, as a note to an error.
ALLOWED_ARGUMENTS = (
    "Pass texts, numbers, booleans, None, lists and dicts: the id of a model instance, or a date as a text."
)


class _Unfrozen(*getattr(TaskResult, "__orig_bases__", ())):  # type: ignore[misc]
    """A class with the attributes of ``TaskResult``. It is not frozen, so the attributes can be set.

    An instance becomes a ``TaskResult`` when that class is assigned to its ``__class__``. This is five times
    as fast as Django's constructor, which calls ``object.__setattr__`` for each field.
    """

    __slots__ = vars(TaskResult)["__slots__"]


def moment(ms: float | None) -> datetime | None:
    """Convert ms since 1970 to a ``datetime``, which is aware if ``USE_TZ`` is set.

    Returns ``None`` for ``None``.
    """
    return decode.moment(ms, UTC if settings.USE_TZ else None)


def new_result(
    task: Task, alias: str, args: Sequence[Any], kwargs: Mapping[str, Any], id: str = ""
) -> TaskResult:
    """Make a ``TaskResult`` with the status ready. ``id`` is empty if the message has no id yet.

    Raises ``TypeError`` and ``ValueError`` for arguments that JSON cannot represent.
    """
    result: Any = _Unfrozen()
    try:
        result.args, result.kwargs = _normalized(args), _normalized(kwargs)
    except TypeError as error:
        error.add_note(f"The arguments of {task.module_path} are stored as JSON. {ALLOWED_ARGUMENTS}")
        raise
    except RecursionError:
        raise task_body.TooDeep from None
    result.task, result.id, result.backend = task, id, alias
    result.status = TaskResultStatus.READY
    result.enqueued_at = moment(sent_ms(id)) if id else None
    result.started_at = result.finished_at = result.last_attempted_at = result._return_value = None
    result.errors, result.worker_ids = [], []
    result.__class__ = TaskResult
    made: TaskResult = result
    return made


def _normalized(given: Any) -> Any:
    """The same as ``normalize_json(given)``, but faster if ``given`` has only plain values."""
    if type(given) in (tuple, list) and _PLAIN.issuperset(map(type, given)):
        return list(given)
    if type(given) is dict and _PLAIN.issuperset(map(type, (*given, *given.values()))):
        return given.copy()
    return normalize_json(given)


def change(result: TaskResult, **values: Any) -> None:
    """Set attributes of a result, which is frozen."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def identify(result: TaskResult, id: str) -> None:
    """Set the id of a result, and the time of sending, which is part of the id."""
    object.__setattr__(result, "id", id)
    object.__setattr__(result, "enqueued_at", moment(sent_ms(id)))
