"""Unique jobs: requests with the same key are merged into one message (``@policy(unique=…)``).

A request is a send of a unique job. It is merged with an earlier job of the same key. With ``until_started``,
the earlier job must be waiting for its first run or for a retry. With ``until_done``, it may also be running.

- While the earlier job waits, the request sends nothing. With ``on_conflict="replace"`` the earlier job gets
  the body of the request.
- While the earlier job runs, ``skip`` drops the request. ``reschedule`` and ``replace`` send a new message,
  which starts after the earlier job has ended.

``key`` is a function of the arguments of a task, or of the body of a handler's message. Without ``key``, all
arguments or the whole body are the key.

The message of a request has the header ``queueing-unique``, which the send script reads: see
``broker/lua/lib/request.lua``. Programs that use RSMQ's own client send no such header.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import Policy

HEADER = "queueing-unique"
#: The header also contains this many characters of the key's text, for people.
SHOWN_CHARACTERS = 200

_VALUE = re.compile(r"(until_started|until_done) (skip|replace|reschedule) ([0-9a-f]{32})(?: .*)?", re.DOTALL)


def headers(
    policy: Policy, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], function: Any = None
) -> dict[str, str]:
    """The headers of a request, ``{}`` if ``policy`` is not unique.

    ``name`` keeps the keys of different functions apart. If ``function`` is given, the same arguments give
    the same key, whether they are positional or keyword arguments. Raises the errors of the policy's ``key``
    function, and ``TypeError`` for a key that JSON cannot represent.
    """
    if policy.unique is None:
        return {}
    key = policy.key(*args, **kwargs) if policy.key else _named(function, args, kwargs)
    text = f"{name} {json.dumps(key, sort_keys=True, ensure_ascii=False)}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return {HEADER: f"{policy.unique} {policy.on_conflict} {digest} {text[:SHOWN_CHARACTERS]}"}


def option(headers: Mapping[str, str]) -> str:
    """The part of the header ``queueing-unique`` that the send script needs.

    Returns ``""`` if the header is missing or invalid.
    """
    found = _VALUE.fullmatch(headers.get(HEADER, ""))
    return " ".join(found.groups()) if found else ""


def shown_key(headers: Mapping[str, str]) -> str:
    """The name of the job and its key as text for people, ``""`` if the message is not unique."""
    return headers[HEADER].split(" ", 3)[-1] if option(headers) else ""


def _named(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if function is not None:
        try:
            return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            pass  # The run fails with these arguments, or nobody knows them.
    return [args, kwargs]
