"""The verbs for batches: batches, retry-batch, cancel-batch."""

import pytest
from django.core.management import CommandError

from queueing import handlers
from queueing.composition import batch, get_batch, step
from queueing.policies import GiveUp
from queueing.testing import run_pending


@pytest.fixture
def failed(mail, monkeypatch):
    """The id of a batch with a dead member and one that waits for another queue."""
    monkeypatch.setattr(handlers, "_handlers", {})

    @handlers.handler("mail")
    def take(message):
        raise GiveUp("no")

    mail.create_queue("later")
    id = batch([step("mail", "bad"), step("later", "waits")]).enqueue()
    run_pending()
    return id


def test_batches_are_listed_with_their_counts(queues, failed):
    heading, line = queues("batches").out.splitlines()
    assert heading.split()[:4] == ["batch", "of", "state", "members"]
    assert line.split()[:8] == [failed, "mail", "running", "2", "1", "0", "1", "0"]


def test_programs_get_every_field(queues, failed):
    [found] = queues("batches", "--json").json
    assert (found["id"], found["state"], found["waiting"], found["failed"]) == (failed, "running", 1, 1)
    assert found["queues"] == ["later", "mail"]


def test_a_short_list_counts_the_batches_that_it_leaves_out(queues, mail):
    assert queues("batches").out.strip() == "There is no batch: batch(…).enqueue() sends one."
    for _ in range(3):
        batch([]).enqueue()
    assert queues("batches", "--count", "1").out.splitlines()[-1] == "2 older batches are not listed."


def test_a_batch_is_retried_and_cancelled(queues, failed):
    assert queues("retry-batch", failed).out.strip() == "1 message runs again."
    assert queues("retry-batch", failed).out.strip() == "0 messages run again."
    with pytest.raises(CommandError, match=r"Members that wait or run: 1\. .*--yes"):
        queues("cancel-batch", failed)
    assert not get_batch(failed).is_cancelled
    assert failed in queues("cancel-batch", failed, "--yes").out
    assert get_batch(failed).is_cancelled
    with pytest.raises(CommandError, match="cancelled"):
        queues("retry-batch", failed)


def test_an_unknown_batch_is_named_as_an_error(queues, mail):
    for verb in ("retry-batch", "cancel-batch"):
        with pytest.raises(CommandError, match="not found"):
            queues(verb, "x" * 32)
