"""Unique jobs: requests with the same key become one message (``@policy(unique=…)``).

``until_started`` merges a request, which is a send, with an earlier job that has its key and waits.
``until_done`` also applies while that job runs: then ``on_conflict="skip"`` drops the request, and with
``reschedule`` and ``replace`` one more run follows. ``replace`` gives a job that waits the new body.
``key`` is a function of the arguments of a task, or of the body of a handler's message. Without it, all
arguments or the whole body are the key.

The message of a request has the header ``queueing-unique``, which the send script follows: see
``broker/lua/lib/request.lua``. Programs that send in RSMQ's way make no such header.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import Policy

HEADER = "queueing-unique"
#: The longest beginning of a key that the header shows to people.
SHOWN_CHARACTERS = 200

_VALUE = re.compile(r"(until_started|until_done) (skip|replace|reschedule) ([0-9a-f]{32})(?: .*)?", re.DOTALL)


def headers(
    policy: Policy, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], function: Any = None
) -> dict[str, str]:
    """The header of a request; empty if ``policy`` is not unique.

    ``name`` separates the keys of several functions. With ``function`` it makes no difference whether an
    argument has its name. Raises what the function ``key`` of the policy raises, and ``TypeError`` for a key
    that JSON cannot hold.
    """
    if policy.unique is None:
        return {}
    key = policy.key(*args, **kwargs) if policy.key else _named(function, args, kwargs)
    text = f"{name} {json.dumps(key, sort_keys=True, ensure_ascii=False)}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return {HEADER: f"{policy.unique} {policy.on_conflict} {digest} {text[:SHOWN_CHARACTERS]}"}


def option(headers: Mapping[str, str]) -> str:
    """The words of the header for the send script, ``""`` without a valid header."""
    found = _VALUE.fullmatch(headers.get(HEADER, ""))
    return " ".join(found.groups()) if found else ""


def shown_key(headers: Mapping[str, str]) -> str:
    """The name of the job and its key as people see them, ``""`` if the message is not unique."""
    return headers[HEADER].split(" ", 3)[-1] if option(headers) else ""


def _named(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if function is not None:
        try:
            return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            pass  # The run fails with these arguments, or nobody knows them.
    return [args, kwargs]
