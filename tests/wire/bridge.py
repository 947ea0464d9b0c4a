"""RSMQ's ten methods, called in Node and in Python by the same names."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.messages import Message, QueueAttributes
from tests.support.node_programs import node_program
from tests.support.program import Program


class RsmqError(Exception):
    """An error with RSMQ's name and text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)


class NodeSide:
    """One version of npm's rsmq in a Node process. Each call and each answer is a JSON line on a socket."""

    def __init__(self, program: Program, port: int) -> None:
        self.program = program
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")

    def call(self, method: str, *, realtime: bool = False, **options: Any) -> Any:
        """Call a method. ``realtime`` selects an instance that was created with this option."""
        asked = {"method": method, "options": options, "realtime": realtime}
        self._socket.sendall(json.dumps(asked).encode() + b"\n")
        answer = json.loads(self._lines.readline())
        if "name" in answer:
            raise RsmqError(answer["name"], answer["text"])
        return answer["result"]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


#: RSMQ's method -> the method of this client, and its positional parameters.
METHODS = {
    "createQueue": ("create_queue", ("qname",)),
    "listQueues": ("list_queues", ()),
    "deleteQueue": ("delete_queue", ("qname",)),
    "getQueueAttributes": ("get_queue_attributes", ("qname",)),
    "setQueueAttributes": ("set_queue_attributes", ("qname",)),
    "sendMessage": ("send_message", ("qname", "message")),
    "receiveMessage": ("receive_message", ("qname",)),
    "popMessage": ("pop_message", ("qname",)),
    "deleteMessage": ("delete_message", ("qname", "id")),
    "changeMessageVisibility": ("change_message_visibility", ("qname", "id", "vt")),
}


class PythonSide:
    """This client, with RSMQ's names of methods and RSMQ's shapes of results."""

    def __init__(self, client: QueueClient) -> None:
        self.client = client

    def call(self, method: str, **options: Any) -> Any:
        name, positional = METHODS[method]
        required = [options.pop(parameter, None) for parameter in positional]
        try:
            result = getattr(self.client, name)(*required, **options)
        except QueueError as error:
            raise RsmqError(error.name, str(error)) from error
        if isinstance(result, Message):
            found = asdict(result)
            found["message"] = found.pop("body")
            assert found.pop("headers") == {}
            return found
        if isinstance(result, QueueAttributes):
            return asdict(result)
        return {} if result is None and method in ("receiveMessage", "popMessage") else result


Side = NodeSide | PythonSide


def outcome(side: Side, method: str, options: dict[str, Any]) -> Any:
    """The result of a call, or the name and text of its error."""
    try:
        return side.call(method, **options)
    except RsmqError as error:
        return error.args


@contextmanager
def node_side(version: str, redis_port: int, *, ns: str = "rsmq") -> Iterator[NodeSide]:
    """A running bridge to ``version`` (npm's alias) on the Redis at that port, in a namespace."""
    with node_program("bridge.js", version, env={"REDIS_PORT": str(redis_port), "RSMQ_NS": ns}) as program:
        line = program.wait_for_line(r"^listening on \d+$")
        side = NodeSide(program, int(line.split()[-1]))
        try:
            yield side
        finally:
            side.close()
