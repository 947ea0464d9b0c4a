"""Records the Redis commands of a client, so that a benchmark can send them without the client."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from queueing.broker.scripts import Call, load
from queueing.broker.session import Session
from queueing.client import QueueClient

#: Readable replies for scripts that did not run.
BLANK_REPLIES: dict[str, Any] = {
    "send_text": b"",
    "send": [b"ok", b"1"],
    "receive": [b"ok", b"0", 0],
    "delete": [0],
}


class Recorder(Session):
    """A session that records the commands of its calls and sends none of them. Its replies are blank."""

    def __init__(self, client: QueueClient) -> None:
        super().__init__(client.redis, client.keys.ns)
        self.commands: list[tuple[Any, ...]] = []

    def _exchange(self, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
        self.commands += [call.command(whole=False) for call in calls]
        return [BLANK_REPLIES[call.script] for call in calls]


class RecordingClient(QueueClient):
    """A client with the Redis and the namespace of another client. It records its commands and sends none."""

    def __init__(self, client: QueueClient) -> None:
        super().__init__(client.redis, ns=client.keys.ns)
        self.session: Recorder = Recorder(client)

    def commands_of(self, calls: Iterable[Callable[[], Any]]) -> list[tuple[Any, ...]]:
        """Run ``calls``, which call methods of this client, and return the commands that they would send.

        Each command is an ``EVALSHA`` with its keys and arguments.
        """
        self.session.commands = []
        for call in calls:
            call()
        return self.session.commands


def load_scripts(client: QueueClient) -> None:
    """Load the scripts of the measured calls into Redis, so that no measured call has to load one first."""
    for name in BLANK_REPLIES:
        client.redis.script_load(load(name).source)
