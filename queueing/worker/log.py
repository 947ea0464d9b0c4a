"""The worker's log lines, worded in one place: one for each outcome that matters.

Short successes are told once a second with their number.
"""

import logging
import time

from ..outcomes import Outcome

logger = logging.getLogger("queueing.worker")

#: Runs of at least so many seconds get a line of their own.
NOTABLE_SECONDS = 0.1


class OutcomeLog:
    """Writes a line for an outcome, or counts it."""

    def __init__(self, *, log_jobs: bool) -> None:
        self.log_jobs = log_jobs
        self._count = 0
        self._since = time.monotonic()

    def tell(self, outcome: Outcome) -> None:
        """Log one settled outcome."""
        seconds = (outcome.finished_ms - outcome.started_ms) / 1000 if outcome.started_ms else 0.0
        if outcome.event == "done":
            if self.log_jobs or seconds >= NOTABLE_SECONDS:
                logger.info("%s %s done in %.3f s", outcome.queue, _safe(outcome.id), seconds)
            else:
                self._count += 1
        elif outcome.event == "retrying":
            logger.warning(
                "%s %s failed (attempt %d), retrying in %.1f s: %s\n%s", outcome.queue, _safe(outcome.id),
                outcome.attempts, outcome.delay_ms / 1000, _safe(outcome.error), outcome.traceback.rstrip(),
            )  # fmt: skip
        elif outcome.event == "dead":
            logger.error(
                "%s %s dead after %d attempts: %s\n%s", outcome.queue, _safe(outcome.id),
                outcome.attempts, _safe(outcome.error), outcome.traceback.rstrip(),
            )  # fmt: skip
        elif outcome.event == "released":
            logger.info("%s %s released", outcome.queue, _safe(outcome.id))
        else:
            logger.warning(
                "%s %s %s: its outcome was refused", outcome.queue, _safe(outcome.id), outcome.event
            )

    def flush(self) -> None:
        """Once a second, say how many short ones were done."""
        now = time.monotonic()
        if self._count and now - self._since >= 1:
            logger.info("%d done in %.1f s", self._count, now - self._since)
            self._count = 0
        if not self._count:
            self._since = now


def _safe(text: str) -> str:
    """One line without control characters, whatever a message or an error brought along."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
