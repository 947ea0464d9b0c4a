"""``manage.py queues`` in this process, with streams that may claim to be terminals."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command

from queueing.client import QueueClient

#: Colours, an override that turns the line around, NUL, bytes that are not UTF-8, and two columns wide.
HOSTILE = "a\x1b[31m\u202egnp\x00\r\n\x9b2J\udcff漢\U000e0041"


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Ran:
    """The output of one call."""

    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Queues:
    """``queues("list", "--json")``. Its output before an error is in ``out`` and ``err``."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def __call__(self, *args: str, on_terminal: bool = False) -> Ran:
        self.out, self.err = io.StringIO(), Terminal() if on_terminal else io.StringIO()
        call_command("queues", *args, stdout=self.out, stderr=self.err, no_color=True)
        return Ran(self.out.getvalue(), self.err.getvalue())


@pytest.fixture
def queues(shared_client: QueueClient, monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("COLUMNS", "80")
    return Queues()


@pytest.fixture
def mail(shared_client: QueueClient) -> QueueClient:
    """The client; the queue ``mail`` is there."""
    shared_client.create_queue("mail")
    return shared_client


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``typed("y")``: somebody sits at a terminal and types that."""
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def printable(text: str) -> bool:
    """Whether a terminal shows it and does nothing else."""
    return all(line.isprintable() for line in text.split("\n"))
