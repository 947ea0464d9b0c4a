"""The handlers' record of their runs, outside Redis."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: The environment variable with the path of the ledger, for handlers.
LEDGER_VARIABLE = "TEST_LEDGER"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. ``at_ms`` is the wall clock of the machine: use it for order only."""

    event: str
    message_id: str
    rc: int
    pid: int
    at_ms: float
    body: str


def write(path: str | Path, event: str, message_id: str, rc: int, body: str) -> None:
    """Append one line with one system call, so that lines of several processes never mix."""
    line = f"{event}\t{message_id}\t{rc}\t{os.getpid()}\t{time.time() * 1000:.3f}\t{body!r}\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


class Ledger:
    """The file and queries on it. Events are ``start`` and ``end`` of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def entries(self, event: str | None = None) -> list[Entry]:
        """All entries in the order they were written, without an incomplete last line."""
        text = self.path.read_bytes().decode()
        found = []
        for line in text[: text.rfind("\n") + 1].splitlines():
            name, message_id, rc, pid, at_ms, body = line.split("\t", 5)
            if event is None or name == event:
                found.append(Entry(name, message_id, int(rc), int(pid), float(at_ms), body))
        return found

    def count(self, event: str = "start") -> int:
        lines = b"\n" + self.path.read_bytes()
        return lines.count(f"\n{event}\t".encode())

    def ids(self, event: str = "start") -> list[str]:
        return [entry.message_id for entry in self.entries(event)]

    def runs(self) -> Counter[str]:
        """Message id -> number of runs that began."""
        return Counter(self.ids("start"))

    def starts_ms(self, message_id: str) -> list[float]:
        """When each run of one message began."""
        return [entry.at_ms for entry in self.entries("start") if entry.message_id == message_id]

    # --- invariants -----------------------------------------------------------------------------

    def assert_each_ran_once(self, ids: Iterable[str]) -> None:
        """Each of ``ids`` began once and ended once, and no other message ran."""
        sent = set(ids)
        runs = self.runs()
        twice = {message_id: count for message_id, count in runs.items() if count > 1}
        assert not twice, f"{len(twice)} messages ran more than once: {dict(list(twice.items())[:5])}"
        assert not sent - set(runs), f"{len(sent - set(runs))} messages never ran"
        assert not set(runs) - sent, f"{len(set(runs) - sent)} messages ran that nobody sent"
        assert len(self.ids("end")) == len(sent)

    def assert_all_ended(self, ids: Iterable[str], *, faults: int) -> None:
        """Each of ``ids`` ended at least once and began at most ``1 + faults`` times."""
        sent = set(ids)
        missing = sent - set(self.ids("end"))
        assert not missing, f"{len(missing)} messages never ended: {sorted(missing)[:5]}"
        often = {i: count for i, count in self.runs().items() if count > 1 + faults}
        assert not often, f"{len(often)} messages ran too often: {dict(list(often.items())[:5])}"
