"""Measures an idle worker of each peer. All of them run side by side, each with its own Redis."""

import contextlib
import socket
import time
from collections.abc import Sequence

from benchmarks.table import show_table
from tests.support.program import Program

from .peer import Peer, Session, session

SETTLE_SECONDS, MEASURE_SECONDS = 10, 60


def show_idle(peers: Sequence[Peer]) -> None:
    with contextlib.ExitStack() as stack:
        idle: list[tuple[Session, Program]] = []
        for peer in peers:
            work = stack.enter_context(session(peer))
            worker = stack.enter_context(work.worker())
            work.warm_up(worker)
            idle.append((work, worker))
        time.sleep(SETTLE_SECONDS)
        watches = [stack.enter_context(Watch(work)) for work, _ in idle]
        time.sleep(MEASURE_SECONDS)
        calls = [watch.calls() for watch in watches]
        rows = [
            [work.peer.name, f"{count * 60 / MEASURE_SECONDS:.0f}", *_taken(work, worker)]
            for (work, worker), count in zip(idle, calls, strict=True)
        ]
    show_table(["peer", "Redis calls/minute", "connections", "PSS MB", "processes"], rows)


class Watch(contextlib.AbstractContextManager):
    """Counts the calls that clients make to a Redis, with ``MONITOR``. A script counts as one call.

    ``INFO commandstats`` is not used, because it also counts the commands inside scripts.
    """

    def __init__(self, work: Session) -> None:
        self._socket = socket.create_connection(("127.0.0.1", work.server.port))
        self._socket.sendall(b"MONITOR\r\n")

    def calls(self) -> int:
        """The number of calls since this object was created.

        The calls are read from the buffer of the socket, which is large enough for one minute.
        """
        self._socket.setblocking(False)
        said = b""
        with contextlib.suppress(BlockingIOError):
            while more := self._socket.recv(1 << 20):
                said += more
        lines = said.splitlines()
        return sum(1 for line in lines if line.startswith(b"+") and b" lua] " not in line) - 1

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _taken(work: Session, worker: Program) -> list[str]:
    processes = worker.members()
    pss = sum(process.memory_full_info().pss for process in processes)
    # Two of the clients are this process.
    return [str(len(work.redis.client_list()) - 2), f"{pss / 1e6:.0f}", str(len(processes))]
