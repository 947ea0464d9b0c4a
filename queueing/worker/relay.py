"""Sends staged messages that the process of their transaction has not sent.

That process may have died after its commit, or Redis was down. A row is sent if two checks of the relay in
succession find it. If the process is only slow, process and relay may both send the message. Then the send
script recognises the second send as a repeat.
"""

import logging
import threading
from collections.abc import Sequence
from functools import partial
from operator import itemgetter

from django.db import DatabaseError, connections, reset_queries
from django.db.models import QuerySet
from django.db.models.functions import Length

from queueing.broker.scripts import Call
from queueing.broker.slices import slices
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
#: The most rows that one iteration sends, and the most bytes of their bodies, unless it sends only one.
ROWS = 1000
BYTES = 8_000_000
#: How long one relay excludes the others. Only one works at a time, to keep the order of the messages.
LEAD_MS = 10_000


class Relay:
    """The relay of one worker. ``aliases`` names the databases that it checks."""

    def __init__(self, client: QueueClient, aliases: Sequence[str], *, name: str) -> None:
        self.client, self.name = client, name
        #: The id of the newest row that the last check has seen, by alias of the database.
        self._seen: dict[str, int] = {}
        self._is_leading = False
        # One for each database, so that one that does not answer delays no other.
        self._guards = {alias: Guard("relay") for alias in aliases}
        self._ended = threading.Event()

    def run(self) -> None:
        """Call ``step`` repeatedly, in a daemon thread. Returns only if the project has stopped staging
        messages and none is left.
        """
        run_until(self._ended, self.step)

    def step(self) -> float:
        """Do one iteration of the loop. Returns the seconds until the next one, 0 if more is left to send."""
        return min(guard.turn(partial(self._turn, alias)) for alias, guard in self._guards.items())

    def _turn(self, alias: str) -> float:
        try:
            return self._relay(alias)
        except (QueueUnavailable, QueueFull) as error:
            logger.debug("staged messages wait: %s", error)
            return LOOK_SECONDS
        except DatabaseError as error:
            lacks_table = databases.lacks_table(alias)
            connections.close_all()
            if lacks_table:
                remedy = f'run "manage.py migrate queueing --database {alias}"'
                text = f"The database {alias} has no table for staged messages: {remedy}."
                raise QueueError(text) from error
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
    """The oldest rows with an id up to ``seen``, within the limits ``ROWS`` and ``BYTES``."""
    waiting = _waiting(alias, partition).filter(id__lte=seen).order_by("id")
    lengths = waiting.values_list("id", Length("body"))[:ROWS]
    ids = [id for id, _ in next(slices(lengths, itemgetter(1), size=BYTES), [])]
    return list(StagedMessage.objects.using(alias).filter(pk__in=ids).order_by("id"))
