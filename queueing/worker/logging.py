"""The worker's log lines, worded in one place: one for each outcome that matters.

Short successes are told once a second with their number.
"""

import logging
import time
from typing import Any

from queueing.broker.outcomes import Outcome, State
from queueing.logging import safe
from queueing.text.errors import as_text, cut

logger = logging.getLogger("queueing.worker")

#: Runs of at least so many seconds get a line of their own.
NOTABLE_SECONDS = 0.1


class OutcomeLog:
    """Writes a line for an outcome, or counts it."""

    def __init__(self, *, log_jobs: bool) -> None:
        self.log_jobs = log_jobs
        self._count = 0
        self._since = time.monotonic()

    def write(self, outcome: Outcome) -> None:
        """Log one settled outcome."""
        if outcome.event == State.DONE:
            self._write_success(outcome)
        elif outcome.event == State.RETRYING:
            text = f"failed (attempt {outcome.attempts}), retrying in {outcome.delay_ms / 1000:.1f} s"
            _write(logging.WARNING, outcome, f"{text}: {safe(outcome.error)}")
        elif outcome.event == State.DEAD:
            text = f"dead after {outcome.attempts} attempts: {safe(outcome.error)}"
            _write(logging.ERROR, outcome, text)
        elif outcome.event == State.RELEASED and outcome.error:
            text = f"released, looked at again in {outcome.delay_ms / 1000:.1f} s"
            _write(logging.WARNING, outcome, f"{text}: {safe(outcome.error)}")
        elif outcome.event == State.RELEASED:
            _write(logging.INFO, outcome, outcome.event)
        else:
            _write(logging.WARNING, outcome, f"{outcome.event}: its outcome was refused")

    def flush(self, *, at_end: bool = False) -> None:
        """Once a second, and at the end, say how many short ones were done."""
        now = time.monotonic()
        if self._count and (at_end or now - self._since >= 1):
            logger.info("%d done in %.1f s", self._count, now - self._since)
            self._count = 0
        if not self._count:
            self._since = now

    def _write_success(self, outcome: Outcome) -> None:
        seconds = _seconds(outcome)
        if self.log_jobs or seconds >= NOTABLE_SECONDS:
            _write(logging.INFO, outcome, f"done in {seconds:.3f} s")
        else:
            self._count += 1


def _write(level: int, outcome: Outcome, text: str) -> None:
    fields = {name: safe(cut(as_text(value))) for name, value in outcome.log_fields.items()}
    job: dict[str, Any] = {
        "queue": outcome.queue, "id": outcome.id, "state": outcome.event, "handler": outcome.handler,
        "attempt": outcome.attempts, "crashes": outcome.crashes, "rc": outcome.rc,
        "seconds": _seconds(outcome),
    }  # fmt: skip
    shown = "".join(f" {name}={value}" for name, value in fields.items())
    logger.log(
        level, "%s %s %s%s", outcome.queue, safe(outcome.id), text, shown,
        exc_info=outcome.exception, extra={"job": {**outcome.log_fields, **job}},
    )  # fmt: skip


def _seconds(outcome: Outcome) -> float:
    return (outcome.finished_ms - outcome.started_ms) / 1000 if outcome.started_ms else 0.0
