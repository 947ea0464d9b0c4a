"""The body of a task: JSON that any RSMQ client can send.

::

    {"django_task": 1, "task": "shop.tasks.resize", "args": [7], "kwargs": {"width": 80}}

``django_task`` is the version of this format and must be the first key: any other body is an ordinary
message. ``task`` is the dotted path of a task of the project. ``args`` and ``kwargs`` may be left out.
``priority`` (-100 to 100) and ``run_after`` (ISO 8601) only record how the task was sent. They change neither
the order nor the due time of the task.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import decode

VERSION = 1
#: The most characters of a task's dotted path, because the column in the history has this size.
NAME_CHARACTERS = 255
#: Every body of a task begins with this text (also ``TASK_BEGINNING`` in lua/lib/room.lua).
BEGINNING = '{"django_task"'
#: Matches the name of the task where ``BodyWriter`` writes it. The beginning of a long body is enough.
_NAME = re.compile(r'\{"django_task"\s*:\s*\d+\s*,\s*"task"\s*:\s*("(?:[^"\\]|\\.)*+")')


class BadTaskBody(ValueError):
    """The body of a task is malformed. No later attempt can succeed."""


class TooDeep(ValueError):
    """The arguments of a task contain themselves, or are nested deeper than workers accept."""

    def __init__(self) -> None:
        super().__init__(
            f"The arguments of the task contain themselves, or are nested more than {decode.MAX_DEPTH} deep. "
            "Send a key of what is stored elsewhere."
        )


class NewerTaskBody(ValueError):
    """This release does not know the format version of the body. A newer release may know it."""

    may_come = True


@dataclass(frozen=True, slots=True)
class TaskBody:
    """The fields of a task's body."""

    task: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    run_after: str | None = None


def is_task(body: str) -> bool:
    """Whether a body begins like that of a task. It may still be malformed."""
    return body.startswith(BEGINNING)


def name_in(body: str) -> str:
    """The dotted path of the task in a body. The end of the body may be missing.

    Returns ``""`` if the body names no task.
    """
    if not is_task(body):
        return ""
    # A cut body, or one of an unknown format, may still have a readable name.
    with suppress(ValueError):
        found = _NAME.match(body)
        name = decode.message_json(found[1]) if found else read(body).task
        return name if len(name) <= NAME_CHARACTERS else ""
    return ""


class BodyWriter:
    """Writes bodies for calls of one task. All of them have the same priority and ``run_after``."""

    def __init__(self, task: str, priority: int = 0, run_after: str | None = None) -> None:
        after = ({"priority": priority} if priority else {}) | ({"run_after": run_after} if run_after else {})
        self._before = f'{{"django_task":{VERSION},"task":{_encode(task)},"args":'
        self._after = f",{_encode(after)[1:]}" if after else "}"

    def write(self, args: list[Any], kwargs: dict[str, Any]) -> str:
        """The body as JSON.

        Raises ``ValueError`` for NaN and infinity, ``TypeError`` for other values that JSON does not have,
        and ``TooDeep`` for arguments that are nested too deep.
        """
        try:
            words = _encode(kwargs) if kwargs else "{}"
            body = f'{self._before}{_encode(args)},"kwargs":{words}{self._after}'
        except RecursionError:
            raise TooDeep from None
        if decode.is_deep(body):
            raise TooDeep
        return body


def read(text: str) -> TaskBody:
    """Parse the body of a task. Raises ``BadTaskBody`` or ``NewerTaskBody``."""
    try:
        fields = decode.message_json(text)
    except decode.Unreadable as error:
        raise BadTaskBody(f"The body of the task cannot be read: {error}.") from None
    version = fields.get("django_task")
    if type(version) is not int or version < 1:
        raise BadTaskBody(f"The body of the task has the version {str(version)[:20]!r}.")
    if version > VERSION:
        raise NewerTaskBody(f"The body of the task has the version {version}; known is {VERSION}.")
    name, args, kwargs = fields.get("task"), fields.get("args", []), fields.get("kwargs", {})
    if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        raise BadTaskBody("A task has a name, a list of args and an object of kwargs.")
    if len(name) > NAME_CHARACTERS:
        raise BadTaskBody(f"The name of the task has {len(name)} characters; {NAME_CHARACTERS} are the most.")
    priority, run_after = fields.get("priority"), fields.get("run_after")
    return TaskBody(
        name,
        args,
        kwargs,
        priority if type(priority) is int and -100 <= priority <= 100 else 0,
        run_after if isinstance(run_after, str) else None,
    )


def _encoder() -> Callable[[Any], str]:
    """Make a function that writes values as JSON. It raises ``RecursionError`` if a list contains itself."""
    encoder = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":"))
    in_c: Any = getattr(json.encoder, "c_make_encoder", None)
    if in_c is None:
        return encoder.encode
    # ``encode`` would make this object in each call, which takes longer than to encode a body.
    text = json.encoder.encode_basestring_ascii
    pieces = in_c(None, encoder.default, text, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


_encode = _encoder()
