"""Tests that need MariaDB. ``test_mariadb.py`` runs them."""

import pytest
from django.db import OperationalError

from queueing.broker.outcomes import Outcome, State
from queueing.history import writer
from queueing.models import Job

pytestmark = pytest.mark.django_db

NOW_MS = 1_795_452_922_000.0


def outcome(id: str, **texts: str) -> Outcome:
    return Outcome("q", id, 1, State.DONE, "w", finished_ms=NOW_MS, started_ms=NOW_MS, **texts)


@pytest.mark.parametrize("text", ["body", "error", "traceback", "result"])
def test_characters_that_the_database_cannot_store_cost_the_texts_of_their_own_row(text: str):
    writer.write([outcome("a" * 32, body="kept"), outcome("b" * 32, **{text: "\U0001f600"})])
    assert set(Job.objects.values_list("message_id", "body")) == {("a" * 32, "kept"), ("b" * 32, "")}


def test_another_error_of_the_driver_reaches_the_recorder(monkeypatch):
    def insert(*_):
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr("queueing.history.bulk.insert", insert)
    with pytest.raises(OperationalError, match="gone away"):
        writer.write([outcome("a" * 32)])
