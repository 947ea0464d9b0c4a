"""Sends the messages of chains and batches that a killed process has left, and closes cut-off batches.

The process that settles a message sends what follows it. The heartbeat finds what is left.
"""

import threading
import time

from queueing.client import QueueClient, follow_ups

from .guard import Guard


class Forwarder:
    """The forwarder of one worker. ``wake`` lets ``run`` do a turn."""

    def __init__(self, client: QueueClient) -> None:
        self.client = client
        self._wanted = threading.Event()
        self._guard = Guard("forwarder")
        self._cursor = b"0"

    def wake(self) -> None:
        """Something may be left to send."""
        self._wanted.set()

    def run(self) -> None:
        """Send in a thread that ends with its process."""
        while True:
            self._wanted.wait()
            self._wanted.clear()
            time.sleep(self.step())

    def step(self) -> float:
        """One turn. Returns the seconds to wait before the next one."""
        return self._guard.turn(self._turn)

    def _turn(self) -> float:
        sent = 1
        while sent:
            # Messages that cannot be sent stay. The next turn continues behind them.
            sent, self._cursor = follow_ups.send_due(self.client, self._cursor)
        return 0.0
