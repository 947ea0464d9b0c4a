"""Who has waited for a database in vain tells the others; one of them tries again."""

from threading import Event, Thread
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from queueing.resilience import circuit_breaker
from queueing.resilience.process_state import ProcessState


@pytest.fixture(autouse=True)
def _hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure counts as waited for, and what was found is believed for a moment."""
    monkeypatch.setattr(circuit_breaker, "_silence", ProcessState(circuit_breaker._Silence))
    monkeypatch.setattr(circuit_breaker, "WAITED_SECONDS", -1)
    monkeypatch.setattr(circuit_breaker, "BELIEVED_SECONDS", 60.0)
    monkeypatch.setattr(circuit_breaker, "connections", {"default": SimpleNamespace(vendor="postgresql")})


def ask(*, answers: bool = False) -> None:
    with circuit_breaker.heeded():
        if not answers:
            raise OperationalError("connection timeout expired")


def test_the_next_one_does_not_ask() -> None:
    with pytest.raises(OperationalError, match="timeout"):
        ask()
    with pytest.raises(OperationalError, match="a moment ago"):
        ask(answers=True)


def test_later_one_tries_and_the_others_wait_for_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationalError):
        ask()
    monkeypatch.setattr(circuit_breaker._silence.get(), "until", 0.0)  # as if the time were over
    is_in, may_go = Event(), Event()

    def try_it() -> None:
        with circuit_breaker.heeded():
            is_in.set()
            may_go.wait(60)

    one = Thread(target=try_it)
    one.start()
    assert is_in.wait(60)
    with pytest.raises(OperationalError, match="a moment ago"):
        ask(answers=True)
    may_go.set()
    one.join()
    ask(answers=True)


def test_a_failure_that_comes_at_once_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "WAITED_SECONDS", 60.0)
    with pytest.raises(OperationalError):
        ask()
    ask(answers=True)


def test_a_busy_sqlite_is_not_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "connections", {"default": SimpleNamespace(vendor="sqlite")})
    with pytest.raises(OperationalError):
        ask()
    ask(answers=True)
