"""The rules for the values of the dict ``QUEUEING``: each setting has the type of its default, and bounds.

The system check reports every problem. ``conf.read`` raises for them, because a web server and a script
run no checks.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass
from os import PathLike
from typing import Any, Literal, get_args, get_origin

from .broker import address, rsmq_values
from .broker.keys import is_dead_letter_queue
from .exceptions import QueueError

#: The largest values: seconds as RSMQ bounds them, days that a date can hold, and anything else.
MAX_DAYS, MAX_WHOLE = 36_500, 10**15
#: Settings that may be 0 although their default is not.
MAY_BE_ZERO = frozenset({"GRACE"})
#: Settings that may also be a path.
PATHS = frozenset({"HEALTH_FILE"})
SHOWN_MAX = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong value; ``id`` is that of its system check."""

    id: str
    text: str
    hint: str = ""


def problems(known: Sequence[Field], values: Any) -> Iterator[Problem]:
    """Everything that is wrong with ``values`` as the dict of the ``known`` settings."""
    if not isinstance(values, Mapping):
        yield Problem("queueing.E001", f"QUEUEING must be a dict, not {type(values).__name__}.")
        return
    fields = {field.name: field for field in known}
    if unknown := sorted(str(name) for name in values if name not in fields):
        names = f"{', '.join(unknown)}. It knows: {', '.join(sorted(fields))}."
        yield Problem("queueing.E001", f"QUEUEING has no setting {names}")
    for name, value in values.items():
        if name in fields:
            yield from _of_value(fields[name], value)


def _of_value(field: Field, value: Any) -> Iterator[Problem]:
    where = f'QUEUEING["{field.name}"]'
    if field.type in (int, float):
        if wanted := _unmet_bounds(field, value):
            yield Problem("queueing.E002", f"{where} must be {wanted}, not {_shown(value)}.")
    elif field.type is bool:
        if not isinstance(value, bool):
            yield Problem("queueing.E008", f"{where} must be True or False, not {_shown(value)}.")
    elif field.type is str:
        if not (isinstance(value, str) or (field.name in PATHS and isinstance(value, PathLike))):
            # Its value may be a secret.
            yield Problem("queueing.E008", f"{where} must be a text, not {type(value).__name__}.")
        elif field.name == "URL":
            yield from _of_address(where, value)
    elif get_origin(field.type) is Literal:
        words = get_args(field.type)
        if value not in words:
            yield Problem("queueing.E007", f"{where} must be {' or '.join(words)}, not {_shown(value)}.")
    elif field.type == tuple[str, ...]:
        yield from _of_list(field.name, where, value)


def _unmet_bounds(field: Field, value: Any) -> str:
    """The number that the setting must be, in words; empty if ``value`` is such a number."""
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


def _of_queue(queue: str) -> Problem | None:
    try:
        rsmq_values.qname(queue)
    except QueueError as error:
        hint = "A name has 1 to 160 letters, digits, - and _."
        return Problem("queueing.E003", f'QUEUEING["QUEUES"]: {error}: {_shown(queue)}.', hint)
    if is_dead_letter_queue(queue):
        hint = "Names that end in -dead belong to dead-letter queues; those are made when needed."
        return Problem("queueing.E004", f'QUEUEING["QUEUES"] names {queue}.', hint)
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
