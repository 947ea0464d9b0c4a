"""Sends follow-ups of chains and batches that a killed process has left unsent.

It also closes batches whose sender died before it had sent all members. Such a batch counts as cancelled.

Normally, the process that settles a message also sends its follow-ups. The reply to a heartbeat reports
whether unsent follow-ups are left.
"""

import threading
import time

from queueing.client import QueueClient, follow_ups

from .guard import Guard


class Forwarder:
    """Sends the unsent follow-ups of chains and batches. ``run`` is the loop of a separate thread."""

    def __init__(self, client: QueueClient) -> None:
        self.client = client
        self._wanted = threading.Event()
        self._guard = Guard("forwarder")
        self._cursor = b"0"

    def wake(self) -> None:
        """Wake ``run``, because there may be messages to send."""
        self._wanted.set()

    def run(self) -> None:
        """Send messages whenever ``wake`` is called. It never returns, so it needs a daemon thread."""
        while True:
            self._wanted.wait()
            self._wanted.clear()
            time.sleep(self.step())

    def step(self) -> float:
        """Do one iteration of the loop. Returns the seconds to wait before the next one."""
        return self._guard.turn(self._turn)

    def _turn(self) -> float:
        sent = 1
        while sent:
            # Messages that cannot be sent stay. The next iteration continues behind them.
            sent, self._cursor = follow_ups.send_due(self.client, self._cursor)
        return 0.0
