"""Sends messages of chains and batches that a killed process has not sent, and closes batches whose sender
died.

The process that settles a message normally also sends the messages that follow it. The reply to a heartbeat
reports whether messages are left that were not sent.
"""

import threading
import time

from queueing.client import QueueClient, follow_ups

from .guard import Guard


class Forwarder:
    """Sends the unsent messages of chains and batches. ``run`` is the loop of its own thread."""

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
        """Do one turn. Returns the seconds to wait before the next turn."""
        return self._guard.turn(self._turn)

    def _turn(self) -> float:
        sent = 1
        while sent:
            # Messages that cannot be sent stay. The next turn continues behind them.
            sent, self._cursor = follow_ups.send_due(self.client, self._cursor)
        return 0.0
