"""The body of a task: JSON that any RSMQ client can send.

::

    {"django_task": 1, "task": "shop.tasks.resize", "args": [7], "kwargs": {"width": 80}}

``django_task`` comes first and is the version of this format; a body that begins otherwise is an
ordinary message. ``task`` is the dotted path of a function that is a task of the project; ``args`` and
``kwargs`` may be left out. ``priority`` (-100 to 100) and ``run_after`` (ISO 8601) only say how it was
sent: they move nothing.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import decode

VERSION = 1
#: Characters of the dotted path of a task: the history has no room for more.
NAME_CHARACTERS = 255
#: How every body of a task begins, whichever program wrote it (also ``TASK_BEGINNING`` in lua/lib/room.lua).
BEGINNING = '{"django_task"'
#: The name where we write it, so that it is seen in the beginning of a body, too.
_NAME = re.compile(r'\{"django_task"\s*:\s*\d+\s*,\s*"task"\s*:\s*("(?:[^"\\]|\\.)*+")')


class BadTaskBody(ValueError):
    """A body that begins as that of a task is none. No later attempt will change that."""


class TooDeep(ValueError):
    """Arguments are nested deeper than any worker reads, or contain themselves."""

    def __init__(self) -> None:
        super().__init__(
            f"The arguments of the task contain themselves, or are nested more than {decode.MAX_DEPTH} deep. "
            "Send a key of what is stored elsewhere."
        )


class NewerTaskBody(ValueError):
    """A body of a version that is not known here, but may be to the next release."""

    may_come = True


@dataclass(frozen=True, slots=True)
class TaskBody:
    """What is in the body of a task."""

    task: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    run_after: str | None = None


def is_task(body: str) -> bool:
    """Whether a body claims to be that of a task."""
    return body.startswith(BEGINNING)


def name_in(body: str) -> str:
    """The name of the task that a body, or the beginning of one, claims to be; empty where none is seen."""
    if not is_task(body):
        return ""
    # What is cut off, or of a format that is not known here, may have a name all the same.
    with suppress(ValueError):
        found = _NAME.match(body)
        name = decode.message_json(found[1]) if found else read(body).task
        return name if len(name) <= NAME_CHARACTERS else ""
    return ""


class BodyWriter:
    """Writes the bodies of one task, as it is sent now."""

    def __init__(self, task: str, priority: int = 0, run_after: str | None = None) -> None:
        self._fields: dict[str, Any] = {"django_task": VERSION, "task": task, "args": [], "kwargs": {}}
        if priority:
            self._fields["priority"] = priority
        if run_after is not None:
            self._fields["run_after"] = run_after

    def write(self, args: list[Any], kwargs: dict[str, Any]) -> str:
        """The JSON text.

        Raises ``ValueError`` for a number that JSON does not know (NaN, infinity), and for arguments that
        are nested so deep that no worker reads them.
        """
        try:
            body = _encode({**self._fields, "args": args, "kwargs": kwargs})
        except RecursionError:
            raise TooDeep from None
        if decode.is_deep(body):
            raise TooDeep
        return body


def read(text: str) -> TaskBody:
    """Raises ``BadTaskBody``, ``NewerTaskBody``."""
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


#: Making an encoder for each body would take longer than the body itself.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
