"""Carries out a plan, ends each fault in time, and repairs everything at the end."""

import threading
import time

from .kinds import KINDS, End
from .plan import Blow
from .stage import Stage


class Run:
    """One run of a plan on a stage. ``told`` lists the actions that were really taken."""

    def __init__(self, stage: Stage, plan: list[Blow]) -> None:
        self.stage, self.plan = stage, plan
        self.told: list[str] = []
        self._ends: dict[str, tuple[float, End]] = {}
        self._clock = threading.Event()  # never set: only used to wait
        self._started = time.monotonic()

    def strike_all(self, seconds: float) -> None:
        """Carry out the plan, and end all faults."""
        self._started = time.monotonic()
        try:
            for blow in self.plan:
                self._pass_time(blow.at_seconds)
                self._strike(blow)
            self._pass_time(seconds)
        finally:
            self._end_those_before(float("inf"))

    def _strike(self, blow: Blow) -> None:
        kind = KINDS[blow.kind]
        target = kind.target_of(blow)
        if target in self._ends:
            self.told.append(f"{blow}: left alone, it still suffers")
            return
        self.told.append(str(blow))
        end = kind.begin(self.stage, blow)
        if end is not None:
            self._ends[target] = (self._seconds + blow.lasts_seconds, end)

    def _pass_time(self, until_seconds: float) -> None:
        while self._seconds < until_seconds:
            next_end = min((at for at, _ in self._ends.values()), default=until_seconds)
            self._clock.wait(max(0.0, min(next_end, until_seconds) - self._seconds))
            self._end_those_before(self._seconds)

    def _end_those_before(self, seconds: float) -> None:
        for target, (at_seconds, end) in list(self._ends.items()):
            if at_seconds <= seconds:
                del self._ends[target]
                end()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._started
