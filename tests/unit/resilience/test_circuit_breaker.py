"""After one slow failure of the database the others fail fast, until one tries again."""

import sqlite3
from threading import Event

import pytest
from django.db import OperationalError

from queueing.resilience.circuit_breaker import CircuitBreaker
from tests.support.threads import in_thread


class Database:
    """A database behind a breaker; each call takes ten seconds of the test's clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = CircuitBreaker(slow_seconds=0.5, open_seconds=60.0, clock=lambda: self.now)

    def ask(self, *, answers: bool = False, seconds: float = 10.0, cause: Exception | None = None) -> None:
        with self.breaker.guard():
            self.now += seconds
            if not answers:
                raise OperationalError("connection timeout expired") from cause


@pytest.fixture
def database() -> Database:
    return Database()


def test_the_next_one_does_not_ask(database: Database) -> None:
    with pytest.raises(OperationalError, match="timeout"):
        database.ask()
    with pytest.raises(OperationalError, match="a moment ago"):
        database.ask(answers=True)


def test_later_one_tries_and_the_others_wait_for_what_it_finds(database: Database) -> None:
    with pytest.raises(OperationalError):
        database.ask()
    database.now += 60
    is_in, may_go = Event(), Event()

    def try_it() -> None:
        with database.breaker.guard():
            is_in.set()
            may_go.wait(60)

    with in_thread(try_it, end=may_go.set):
        assert is_in.wait(60)
        with pytest.raises(OperationalError, match="a moment ago"):
            database.ask(answers=True)
    database.ask(answers=True)


def test_a_fast_failure_leaves_the_circuit_closed(database: Database) -> None:
    with pytest.raises(OperationalError):
        database.ask(seconds=0.4)
    database.ask(answers=True)


def test_a_busy_sqlite_is_not_away(database: Database) -> None:
    with pytest.raises(OperationalError):
        database.ask(cause=sqlite3.OperationalError("database is locked"))
    database.ask(answers=True)
