"""Complete record of a Redis with an append-only file: its outcomes and messages, read from that file.

The record has every outcome that was written and every message that was ever in a queue. The database, by
contrast, keeps one outcome per receipt.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from queueing.broker.keys import Keys
from queueing.broker.outcomes import Outcome, unpack

from .resp import Closed, read_command

KEYS = Keys("rsmq")


class Chronicle:
    """The append-only file in the folder of a ``RedisServer``: one file in Redis 6.2, several from Redis 7
    on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def outcomes(self) -> list[Outcome]:
        """Every outcome that was written to the outbox, in order."""
        outbox = KEYS.outbox().encode()
        return [
            outcome
            for words in self._commands()
            if words[0].upper() == b"XADD" and words[1] == outbox
            for outcome in unpack(words[3:])
        ]

    def scheduled(self) -> dict[str, set[str]]:
        """Queue -> the ids of all messages that were ever in it."""
        found: dict[str, set[str]] = defaultdict(set)
        for words in self._commands():
            # Extending a lease uses XX, which adds no message.
            if words[0].upper() == b"ZADD" and words[2] != b"XX":
                _, _, name = words[1].decode().partition(":")
                if ":" not in name:
                    found[name].update(map(bytes.decode, words[3::2]))
        return found

    def _commands(self) -> Iterator[list[bytes]]:
        for path in self._files():
            with path.open("rb") as stream:
                try:
                    while True:
                        _, words = read_command(stream)
                        if words:
                            yield words
                except Closed:
                    continue  # the end, or a command that Redis was killed in

    def _files(self) -> list[Path]:
        parts = self.folder.glob("appendonlydir/*.incr.aof")
        several = sorted(parts, key=lambda path: int(path.name.split(".")[-3]))
        return several or list(self.folder.glob("appendonly.aof"))
