"""Partitions: the settings PARTITIONS and PLACES, and the partition on which a queue is stored.

A partition is a namespace, on a Redis of its own or beside others. Each queue is stored on one partition,
together with its dead-letter queue and its low-priority queue. The settings name the partition of a queue.
Queues are not distributed by a hash, so adding a partition moves no queue.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import address, rsmq_values
from .keys import LOW_PRIORITY, dead_letter_queue

#: The name of the partition that the settings URL and NAMESPACE describe.
DEFAULT = "default"
NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")
#: The name of a queue, or a pattern: the beginning of names, and a ``*``.
PLACED = re.compile(rf"{rsmq_values.QNAME.pattern}|[a-zA-Z0-9_-]*\*")
OPTIONS = ("URL", "NAMESPACE")
SUFFIXES = (dead_letter_queue(""), LOW_PRIORITY)
#: The id of the system check, what is wrong, and the remedy.
Wrong = tuple[str, str, str]


def main_queue(queue: str) -> str:
    """The name of ``queue`` without the suffixes of a dead-letter queue and a low-priority queue."""
    while queue.endswith(SUFFIXES):
        queue = queue.removesuffix(SUFFIXES[0]).removesuffix(SUFFIXES[1])
    return queue


def place_of(places: Mapping[str, str], queue: str) -> str:
    """The name of the partition on which ``queue`` is stored.

    It is the entry of ``places`` for the name of the queue, else for the longest matching pattern, else
    ``DEFAULT``. A dead-letter or low-priority queue is stored with its main queue.
    """
    queue = main_queue(queue)
    if queue in places:
        return places[queue]
    fitting = [name for name in places if name.endswith("*") and queue.startswith(name[:-1])]
    return places[max(fitting, key=len)] if fitting else DEFAULT


def problems(partitions: Any, places: Any, url: str, namespace: str) -> Iterator[Wrong]:
    """Yield the mistakes in the settings PARTITIONS and PLACES.

    ``url`` and ``namespace`` are those of the default partition.
    """
    yield from _unsafe_cluster("", url, namespace)
    if not isinstance(partitions, Mapping):
        hint = 'Write {"eu": {"URL": "redis://eu:6379/0"}}.'
        yield "queueing.E017", 'QUEUEING["PARTITIONS"] must be a dict of partitions.', hint
        return
    known = {_identity(url, namespace): DEFAULT}
    for name, options in partitions.items():
        where = f'QUEUEING["PARTITIONS"]["{name}"]'
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == DEFAULT:
            hint = f"A name has 1 to 40 small letters, digits, - and _, and is not {DEFAULT}."
            yield "queueing.E017", f'QUEUEING["PARTITIONS"] has the name {_short(name)}.', hint
        elif not _are_options(options):
            yield "queueing.E017", f"{where} must have a URL, a NAMESPACE or both, as texts.", ""
        else:
            own = options.get("URL", url), options.get("NAMESPACE", namespace)
            yield from _wrong_address(f'{where}["URL"]', *own)
            yield from _unsafe_cluster(f'["PARTITIONS"]["{name}"]', *own)
            if (other := known.setdefault(_identity(*own), name)) != name:
                hint = "Two partitions need different addresses or different namespaces."
                yield "queueing.E017", f"{where} has the address and the namespace of {other}.", hint
    yield from _wrong_places(places, [DEFAULT, *map(str, partitions)])


def _wrong_places(places: Any, known: Sequence[str]) -> Iterator[Wrong]:
    where = 'QUEUEING["PLACES"]'
    if not isinstance(places, Mapping):
        yield "queueing.E018", f"{where} must be a dict.", 'Write {"mail-*": "eu"}.'
        return
    for queue, name in places.items():
        if not isinstance(queue, str) or not PLACED.fullmatch(queue):
            hint = "A pattern ends in *, as in mail-*."
            yield "queueing.E018", f"{where}: {_short(queue)} is not a queue or a pattern.", hint
        elif queue.endswith(SUFFIXES):
            base = main_queue(queue)
            text = f"{where} names {queue}, which is on the partition of {base}."
            yield "queueing.E018", text, f"Name {base} alone."
        elif name not in known:
            text = f"{where} puts {queue} on {_short(name)}, which is not a partition."
            yield "queueing.E018", text, f"There are: {', '.join(known)}."


def _wrong_address(where: str, url: str, namespace: str) -> Iterator[Wrong]:
    try:
        address.options_of(url, namespace=namespace)
    except ValueError as error:
        yield "queueing.E005", f"{where} is not the address of a Redis.", str(error)


def _unsafe_cluster(where: str, url: str, namespace: str) -> Iterator[Wrong]:
    if url.startswith(address.CLUSTERS) and not address.has_hash_tag(namespace):
        hint = f'Set QUEUEING{where}["NAMESPACE"] to a name in braces, such as {{rsmq}}.'
        yield "queueing.E006", "A cluster must store all keys of a namespace on one node.", hint


def _are_options(options: Any) -> bool:
    return (
        isinstance(options, Mapping)
        and bool(options)
        and set(options) <= set(OPTIONS)
        and all(isinstance(value, str) and value for value in options.values())
    )


def _short(value: Any) -> str:
    return repr(value)[:40]


def _identity(url: str, namespace: str) -> tuple[str, str]:
    """A value that is the same for two partitions if they have the same Redis and namespace."""
    try:
        options = address.options_of(url, namespace=namespace)
    except (TypeError, ValueError):
        return url, namespace
    host = options.get("path") or f"{options.get('host')}:{options.get('port') or 6379}"
    return url if "discovery" in options else f"{host}/{options.get('db') or 0}", namespace
