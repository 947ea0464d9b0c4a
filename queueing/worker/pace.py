"""How many messages a child takes at once: what waits in it is a fraction of a second of work."""

TARGET_SECONDS = 0.1
MAX_IN_HAND = 200
#: What one claim may ask for, at any number of threads.
MAX_CLAIM = 1000


class Pace:
    """Learns how long messages run. Unknown or slow ones are taken one per thread."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._average_seconds = TARGET_SECONDS

    def ran(self, seconds: float) -> None:
        """A message took so long. A slow one counts at once, fast ones have to prove themselves."""
        weight = 0.5 if seconds > self._average_seconds else 0.2
        self._average_seconds += weight * (seconds - self._average_seconds)

    def room(self, in_hand: int) -> int:
        """How many more to take, with so many waiting or running."""
        # Rounded: of jobs that take a little over half of it a thread needs one more to go on at once.
        per_thread = max(1, round(TARGET_SECONDS / max(self._average_seconds, 1e-6)))
        wanted = min(self.threads * per_thread, max(self.threads, MAX_IN_HAND)) - in_hand
        return max(0, min(wanted, MAX_CLAIM))
