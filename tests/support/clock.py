"""A clock that a test moves, for modules of the code."""

from types import ModuleType

import pytest


class Clock:
    """Takes the place of ``time`` in a module. It stops, except for what the module sleeps."""

    def __init__(self) -> None:
        self._began = self._now = 1000.0

    @property
    def passed_seconds(self) -> float:
        """How far it has moved."""
        return self._now - self._began

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move it forward."""
        self._now += seconds

    def rules(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> "Clock":
        """Let these modules read it."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        return self
