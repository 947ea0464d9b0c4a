"""The call of a job as code, such as ``send_webhook("https://…")``.

It is shown in the list of jobs and in the heading of a job's page. It is derived from the beginning of the
payload, so that the list never reads whole payloads.
"""

import json
import re
from typing import Any

from queueing.broker import task_body
from queueing.models import Job
from queueing.text.humanize import visible
from queueing.text.redaction import redacted

#: A call is derived from this many characters at the beginning of the payload.
READ_CHARACTERS = 1_000
#: The maximum characters of a call in the list, of a call in a heading, and of a single argument.
LISTED_CHARACTERS, HEADING_CHARACTERS, ARGUMENT_CHARACTERS = 100, 160, 60
#: Finds the arguments in a task body that was cut and is therefore not valid JSON.
_CUT_ARGUMENTS = re.compile(r'"args"\s*:\s*\[(.*)', re.DOTALL)


def call(job: Job, characters: int) -> str:
    """The call of ``job`` in at most ``characters`` characters, with secrets masked.

    ``job`` must be loaded with the annotation ``body_start``. For a message that is not a task, the result is
    the handler with the message as its argument. If the handler is unknown and the payload is empty, the
    result is the message id.
    """
    start = job.body_start
    text = call_in(start, job.handler, characters, is_known=bool(start or job.body_is_whole))
    return text or visible(job.message_id)


def call_in(start: str, handler: str, characters: int, *, is_known: bool = True) -> str:
    """The call that a payload describes. ``start`` is the beginning of the payload.

    ``is_known`` is false if the history does not have the payload. The result then has ``…`` as the argument.
    Returns ``""`` if the handler is unknown and the payload is empty or not stored.
    """
    if not (handler or is_known):
        return ""
    start = start[:READ_CHARACTERS]
    text = redacted(start)
    if start.startswith(task_body.BEGINNING):
        name = task_body.name_in(start) or handler
        arguments = _task_arguments(text)
    else:
        name, arguments = handler, _message_argument(text) if is_known else "…"
    short = name.rpartition(".")[2]
    if not short:
        return visible(_cut(arguments, characters))
    return visible(f"{short}({_cut(arguments, max(1, characters - len(short) - 2))})")


def _task_arguments(text: str) -> str:
    try:
        body = json.loads(text)
        positional, named = body.get("args") or [], body.get("kwargs") or {}
        shown = [_argument(value) for value in positional]
        return ", ".join(shown + [f"{name}={_argument(value)}" for name, value in named.items()])
    except (ValueError, TypeError, AttributeError, RecursionError):
        found = _CUT_ARGUMENTS.search(text)
        return f"{found[1].strip()}…" if found else "…"


def _argument(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(_cut(value, ARGUMENT_CHARACTERS), ensure_ascii=False)
    return _cut(json.dumps(value, ensure_ascii=False), ARGUMENT_CHARACTERS)


def _message_argument(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if one_line[:1] in ("{", "[", '"', "") else f'"{one_line}"'


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
