"""Making, listing, deleting and setting queues: RSMQ's five methods for them."""

from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.exceptions import NoAttributeSupplied, SpoiltKey
from queueing.messages import QueueAttributes

from .base import ClientBase, checked


class Queues(ClientBase):
    """The queues themselves."""

    def create_queue(self, qname: str, *, vt: Any = None, delay: Any = None, maxsize: Any = None) -> int:
        """RSMQ's createQueue: 1, or ``QueueExists``.

        ``vt`` (30) and ``delay`` (0) in seconds, ``maxsize`` (65536) in UTF-16 units, -1: unlimited.
        Raises ``MissingParameter``, ``InvalidFormat``, ``InvalidValue``.
        """
        qname = rsmq_values.qname(qname)
        vt = rsmq_values.seconds(30 if vt is None else vt, "vt")
        delay = rsmq_values.seconds(0 if delay is None else delay, "delay")
        maxsize = rsmq_values.maxsize(65536 if maxsize is None else maxsize)
        checked(self.scripts.run("create_queue", self._queue_keys(qname), qname, vt, delay, maxsize))
        return 1

    def list_queues(self) -> list[str]:
        """RSMQ's listQueues: the names in its index, unordered.

        If the index is not a set, the queues are found by their keys.
        """
        try:
            names = self.scripts.run("list_queues", [self.keys.queues()])
        except SpoiltKey:
            return self.find_queues()
        return [decode.text(name) for name in names]

    def find_queues(self) -> list[str]:
        """The names of the queues whose attributes are there, whatever the index says. It takes long."""
        names = {rest.removesuffix(":Q") for rest in self._scan("*:Q")}
        return sorted(name for name in names if name and not name.startswith(":"))

    def delete_queue(self, qname: str) -> int:
        """RSMQ's deleteQueue: 1, or ``QueueNotFound``. All its messages go with it."""
        qname = rsmq_values.qname(qname)
        checked(self.scripts.run("delete_queue", self._all_keys(qname), qname))
        return 1

    def get_queue_attributes(self, qname: str) -> QueueAttributes:
        """RSMQ's getQueueAttributes, or ``QueueNotFound``."""
        reply = checked(self.scripts.run("attributes", self._queue_keys(rsmq_values.qname(qname))))
        return read_attributes(reply)

    def set_queue_attributes(
        self, qname: str, *, vt: Any = None, delay: Any = None, maxsize: Any = None
    ) -> QueueAttributes:
        """RSMQ's setQueueAttributes: what is not ``None`` is set; all nine are returned.

        Raises ``NoAttributeSupplied`` (checked first), ``InvalidValue``, ``QueueNotFound``.
        """
        if vt is None and delay is None and maxsize is None:
            raise NoAttributeSupplied
        qname = rsmq_values.qname(qname)
        pairs: list[Any] = []
        if vt is not None:
            pairs += ["vt", rsmq_values.seconds(vt, "vt")]
        if maxsize is not None:
            pairs += ["maxsize", rsmq_values.maxsize(maxsize)]
        if delay is not None:
            pairs += ["delay", rsmq_values.seconds(delay, "delay")]
        return read_attributes(checked(self.scripts.run("set_attributes", self._queue_keys(qname), *pairs)))


def read_attributes(reply: list[Any]) -> QueueAttributes:
    """The nine attributes at the beginning of a reply."""
    return QueueAttributes(*(decode.integer(value) for value in reply[:9]))
