"""A clock that a test moves, for modules of the code."""

from types import ModuleType

import pytest


class Clock:
    """Replacement for ``time`` in a module. The clock stands still, except for the sleeps of the module."""

    def __init__(self) -> None:
        self._began = self._now = 1000.0

    @property
    def passed_seconds(self) -> float:
        """Seconds that the clock has moved."""
        return self._now - self._began

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds

    def rules(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> "Clock":
        """Make these modules use this clock."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        return self
