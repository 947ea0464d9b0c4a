"""Signals of the package: their arguments, and receivers that fail."""

import pytest
from django.dispatch import Signal

from queueing import signals
from queueing.broker.outcomes import Outcome
from queueing.client import QueueClient
from queueing.messages import Draft


def connected(monkeypatch: pytest.MonkeyPatch, name: str, *receivers) -> None:
    """Give one signal these receivers for the time of a test."""
    signal = Signal()
    monkeypatch.setattr(signals, name, signal)
    for receiver in receivers:
        signal.connect(receiver, weak=False)


def outcome(event: str) -> Outcome:
    return Outcome("mail", "i" * 32, 1, event, "w")


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_error_in_a_receiver_is_logged_and_raises_nothing(monkeypatch, caplog, error):
    def fails(**_):
        raise error("out of order")

    connected(monkeypatch, "job_dead", fails)
    signals.emit_finished(outcome("dead"))
    assert "out of order" in caplog.text


def test_every_end_is_finished_and_two_have_a_signal_of_their_own(monkeypatch):
    ends = []
    for name in ("job_finished", "job_retrying", "job_dead"):
        connected(monkeypatch, name, lambda outcome, name=name, **_: ends.append((name, outcome.event)))
    for event in ("done", "retrying", "dead", "released"):
        signals.emit_finished(outcome(event))
    assert ends == [
        ("job_finished", "done"), ("job_finished", "retrying"), ("job_retrying", "retrying"),
        ("job_finished", "dead"), ("job_dead", "dead"), ("job_finished", "released"),
    ]  # fmt: skip


def test_a_send_reports_its_queue_ids_and_messages(client: QueueClient):
    sent = []

    def receive(queue, ids, messages, **_):
        sent.append((queue, ids, messages))

    client.create_queue("mail")
    signals.message_sent.connect(receive)
    try:
        draft = Draft(body="b")
        ids = [client.send_message("mail", "a"), *client.send_messages("mail", [draft, "c"])]
    finally:
        signals.message_sent.disconnect(receive)
    client.send_message("mail", "d")
    assert sent == [("mail", ids[:1], ["a"]), ("mail", ids[1:], [draft, "c"])]
