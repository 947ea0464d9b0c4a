"""Sends staged messages that the process of their transaction has not sent.

That process may have died after its commit, or Redis was down. A row is sent if two checks of the relay in
succession find it. If the process is only slow, process and relay may both send the message. Then the send
script recognises the second send as a repeat.
"""

import logging
import threading
from collections.abc import Iterator, Sequence

from django.db import DatabaseError, connections, reset_queries
from django.db.models import QuerySet
from django.db.models.functions import Length

from queueing.broker.scripts import Call
from queueing.client import QueueClient
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueFull, QueueUnavailable
from queueing.models import StagedMessage
from queueing.transactional import backlog, databases, sending

from .database import tend_connections
from .guard import Guard, run_until

logger = logging.getLogger("queueing.worker")

#: The time between two checks for staged messages.
LOOK_SECONDS = 3.0
#: The most rows that one iteration sends, and the most bytes of their bodies. The messages of one call may
#: exceed both, because they are sent together.
ROWS = 1000
BYTES = 8_000_000
#: How long one relay excludes the others. Only one works at a time, to keep the order of the messages.
LEAD_MS = 10_000


class NoTable(QueueError):
    """The database ``alias`` has no table for staged messages."""

    def __init__(self, alias: str) -> None:
        remedy = f'run "manage.py migrate queueing --database {alias}"'
        super().__init__(f"The database {alias} has no table for staged messages: {remedy}.")


class Relay:
    """The relay of one worker. ``aliases`` names the databases that it checks."""

    def __init__(self, client: QueueClient, aliases: Sequence[str], *, name: str) -> None:
        self.client, self.aliases, self.name = client, aliases, name
        #: The id of the newest row that the last check has seen, by alias of the database.
        self._seen: dict[str, int] = {}
        self._is_leading = False
        self._guard = Guard("relay")
        self._ended = threading.Event()

    def run(self) -> None:
        """Call ``step`` repeatedly, in a daemon thread. Returns only if the project has stopped staging
        messages and none is left.
        """
        run_until(self._ended, self.step)

    def step(self) -> float:
        """Do one iteration of the loop. Returns the seconds until the next one, 0 if more is left to send."""
        return self._guard.turn(self._turn)

    def _turn(self) -> float:
        try:
            return min(map(self._relay, self.aliases))
        except (QueueUnavailable, QueueFull) as error:
            logger.debug("staged messages wait: %s", error)
            return LOOK_SECONDS
        except DatabaseError as error:
            lacking = next(filter(databases.lacks_table, self.aliases), "")
            connections.close_all()
            if lacking:
                raise NoTable(lacking) from error
            raise
        except BaseException:
            connections.close_all()
            raise
        finally:
            reset_queries()  # With DEBUG each query is kept.
            tend_connections()

    def _relay(self, alias: str) -> float:
        if seen := self._seen.get(alias, 0):
            if rows := _next_rows(alias, seen, self.client.partition):
                if not self._lead(LEAD_MS):
                    return LOOK_SECONDS
                sending.send(self.client, alias, rows, forget=True)
                return 0.0
            if self._is_leading:
                self._lead(0)
        self._seen[alias] = backlog.newest(_waiting(alias, self.client.partition))
        if not self._seen[alias] and not databases.relayed():
            self._ended.set()
        return LOOK_SECONDS

    def _lead(self, ms: int) -> bool:
        """Become the only active relay for ``ms`` milliseconds, or give up this role if ``ms`` is 0. Returns
        ``False`` if another relay is active.
        """
        is_alone = bool(self.client.session.call(Call("lead", [self.client.keys.relay()], self.name, ms)))
        self._is_leading = is_alone and ms > 0
        return is_alone


def _waiting(alias: str, partition: str) -> "QuerySet[StagedMessage]":
    """The rows that wait to be sent to queues of one partition, because a worker relays only for its own
    partition.
    """
    rows, conf = StagedMessage.objects.using(alias).filter(is_refused=False), get_conf()
    if not conf.PARTITIONS:
        return rows
    queues = rows.order_by().values_list("queue", flat=True).distinct()
    return rows.filter(queue__in=[queue for queue in queues if conf.place_of(queue) == partition])


def _next_rows(alias: str, seen: int, partition: str) -> list[StagedMessage]:
    """The oldest rows with an id up to ``seen``, the newest id that the last check has found.

    The number of rows is limited, but the rows of one send are returned together or not at all. A send is one
    call of the send script, with one or more messages.
    """
    limit = ROWS
    while True:
        found = list(
            _waiting(alias, partition)
            .order_by("id")
            .values_list("id", "sender", "number", "size", Length("body"))[:limit]
        )
        ids = list(_of_whole_sends(found, seen, has_all=len(found) < limit))
        if ids:
            return list(StagedMessage.objects.using(alias).filter(pk__in=ids).order_by("id"))
        if len(found) < limit or found[0][0] > seen:
            return []
        limit *= 2


def _of_whole_sends(
    found: Sequence[tuple[int, str, int, int, int]], seen: int, *, has_all: bool
) -> Iterator[int]:
    """Yield the ids of the rows in ``found``, up to the first send that must wait.

    A send must wait if some of its rows are missing in ``found``, if its first id is greater than ``seen``,
    or if the bodies of all yielded rows would exceed ``BYTES``. This limit does not apply to the first send.
    ``has_all`` means that ``found`` has all rows, so no send is incomplete.

    A send must not be split, because Redis would take its second part for a repeat of the first.
    """
    sends: dict[tuple[str, int], list[int]] = {}
    sizes: dict[tuple[str, int], tuple[int, int]] = {}
    for id, sender, number, size, length in found:
        sends.setdefault((sender, number), []).append(id)
        sizes[sender, number] = (size, sizes.get((sender, number), (0, 0))[1] + length)
    total = 0
    for send, ids in sends.items():
        size, length = sizes[send]
        is_whole = has_all or len(ids) >= size
        if ids[0] > seen or not is_whole or (total and total + length > BYTES):
            return
        total += length
        yield from ids
