"""The verbs for single messages: send, receive."""

import io
import sys
from types import SimpleNamespace

import pytest
from django.core.management import CommandError

from queueing.broker import outbox
from queueing.broker.leases import QueueLease, extend
from queueing.client import QueueClient
from queueing.conf import Config

from .conftest import HOSTILE, printable


def test_a_message_is_sent_and_its_id_printed(queues, mail):
    id = queues("send", "mail", "two\nlines").out.strip()
    assert mail.peek_message("mail", id).body == "two\nlines"


def test_a_configured_queue_that_is_missing_is_created_by_the_first_send(queues, shared_client):
    queues("send", "testqueue", "Hello", "--delay-ms", "1")
    assert shared_client.get_queue_attributes("testqueue").msgs == 1


def test_a_body_is_read_from_stdin_byte_by_byte(queues, mail, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\x00 two\r\nlines\n")))
    id = queues("send", "mail", "-").out.strip()
    assert mail.redis.hget("rsmq:mail:Q", id) == b"\xff\x00 two\r\nlines\n"


@pytest.mark.parametrize("option", [["--delay", "60"], ["--delay-ms", "60000"]])
def test_a_message_is_delayed(queues, mail, option):
    id = queues("send", "mail", "later", *option).out.strip()
    message = mail.peek_message("mail", id)
    assert message.state == "delayed"
    assert message.due_ms - message.sent == pytest.approx(60_000, abs=5)


def test_headers_travel_beside_the_body(queues, mail):
    queues("send", "mail", "x", "--header", "to=you", "--header", "query=a=b", "--header", "empty=")
    assert mail.receive_message("mail").headers == {"to": "you", "query": "a=b", "empty": ""}


def test_a_repeated_deduplication_id_gives_the_first_id(queues, mail):
    first = queues("send", "mail", "x", "--deduplication-id", "order-7").out
    assert queues("send", "mail", "y", "--deduplication-id", "order-7").out == first
    assert mail.get_queue_attributes("mail").msgs == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["nowhere", "x"], "There is no queue named nowhere"),
        (["mail", "x", "--header", "none"], '"none" is not a header: write NAME=VALUE'),
        (["mail", "x", "--header", "=value"], "is not a header"),
        (["mail", "x", "--header", "a=1", "--header", "a=2"], "Two headers have the same name"),
        (["mail", "x", "--delay", "1", "--delay-ms", "1"], "not allowed with argument"),
        (["mail", "x", "--delay-ms", "1.5"], "is not a whole number of milliseconds"),
        (["mail", "x", "--deduplication-id", ""], "at least one character"),
        (["mail", "x", "--deduplication-id", "\udcff"], "in UTF-8"),
        (["mail", "x" * 65537], 'too long: "manage.py queues set mail --maxsize -1" takes any length'),
    ],
)
def test_an_unsendable_message_is_refused_with_advice(queues, mail, args, text):
    with pytest.raises(CommandError, match=text):
        queues("send", *args)
    assert mail.get_queue_attributes("mail").msgs == 0


def test_received_messages_are_json_lines(queues, mail):
    ids = mail.send_messages("mail", ["first", "second", "third"])
    [only] = queues("receive", "mail").json_lines
    assert list(only) == ["id", "body", "rc", "fr", "sent", "headers"]
    assert (only["id"], only["body"], only["rc"], only["headers"]) == (ids[0], "first", 1, {})
    assert [line["id"] for line in queues("receive", "mail", "--count", "9").json_lines] == ids[1:]


def test_received_messages_stay_hidden_in_the_queue_for_the_vt(queues, mail):
    mail.send_message("mail", "x")
    queues("receive", "mail", "--vt", "0")
    assert queues("receive", "mail", "--vt", "600").json["rc"] == 2
    assert mail.get_queue_attributes("mail").hiddenmsgs == 1


def test_received_messages_are_deleted_once_they_are_printed(queues, mail):
    mail.send_messages("mail", [str(number) for number in range(250)])
    ran = queues("receive", "mail", "--count", "220", "--delete")
    assert [line["body"] for line in ran.json_lines] == [str(number) for number in range(220)]
    assert mail.get_queue_attributes("mail").msgs == 30
    assert ran.err == ""


def test_a_message_that_came_due_again_before_its_deletion_is_reported(queues, mail, monkeypatch):
    mail.send_messages("mail", ["x", "y"])
    monkeypatch.setattr(QueueClient, "delete_messages", lambda self, qname, messages: [1, 0])
    ran = queues("receive", "mail", "--count", "2", "--delete")
    assert ran.err == "1 message came due again before the deletion: use a longer --vt.\n"


def test_nothing_due_is_said_beside_the_result(queues, mail):
    ran = queues("receive", "mail")
    assert (ran.out, ran.err) == ("", "No message of mail is due.\n")


def test_a_paused_queue_is_told_from_an_empty_one(queues, mail):
    mail.send_message("mail", "x")
    mail.pause_queue("mail")
    assert queues("receive", "mail").err == "mail is paused and gives out no message: resume it first.\n"


def test_a_receive_waits_for_the_first_message(queues, mail):
    mail.send_message("mail", "soon", delay_ms=300)
    assert queues("receive", "mail", "--wait", "10", "--count", "5").json["body"] == "soon"


def test_hostile_content_is_inert_and_exact(queues, mail):
    mail.send_message("mail", HOSTILE, headers={HOSTILE: HOSTILE})
    ran = queues("receive", "mail")
    assert ran.out.isascii()
    assert printable(ran.out)
    assert (ran.json["body"], ran.json["headers"]) == (HOSTILE, {HOSTILE: HOSTILE})


@pytest.mark.parametrize("option", ["--count=0", "--vt=-1", "--wait=3601", "--wait=x"])
def test_numbers_out_of_bounds_are_refused(queues, mail, option):
    with pytest.raises(CommandError, match=r"is not a .* from \d+ to \d+"):
        queues("receive", "mail", option)


def test_an_unread_output_deletes_nothing(queues, mail, monkeypatch):
    mail.send_message("mail", "x")

    def nobody_reads(self):
        raise BrokenPipeError

    monkeypatch.setattr("queueing.cli.output.Screen.flush", nobody_reads)
    monkeypatch.setattr("queueing.management.commands.queues._close_stdout", lambda: None)
    with pytest.raises(SystemExit) as ended:
        queues("receive", "mail", "--delete")
    assert ended.value.code == 141
    assert mail.get_queue_attributes("mail").msgs == 1


class TestCancel:
    def test_it_asks_with_their_number(self, queues, mail, typed):
        ids = mail.send_messages("mail", ["a", "b", "c"])
        typed("y\n")
        cancelled = queues("cancel", "mail", ids[0], ids[1], ids[0])
        assert cancelled.err == "Cancel 2 messages of mail? [y/N] "
        assert cancelled.out == "Cancelled 2 messages of mail.\n"
        assert [message.id for message in mail.peek_messages("mail")] == ids[2:]

    def test_each_is_recorded_as_cancelled(self, queues, mail):
        id = mail.send_message("mail", "later", delay=60)
        queues("cancel", "mail", id, "--yes")
        [outcome] = outbox.newest(mail.session, count=10)
        assert (outcome.id, outcome.event, outcome.error) == (id, "cancelled", "cancelled in a terminal")

    def test_a_received_message_is_left_alone(self, queues, mail):
        held, hidden = mail.send_messages("mail", ["a", "b"])
        mail.session.call_each(
            [QueueLease(mail.session, Config(LEASE=60), "a", "mail").claim(1, suspects="take")]
        )
        mail.receive_message("mail")
        assert queues("cancel", "mail", held, hidden, "0" * 32, "--yes").out == (
            "Cancelled 0 messages of mail; 1 left alone: a worker holds it; "
            "1 left alone: another receiver has it; 1 left alone: it is not in its queue.\n"
        )
        assert mail.get_queue_attributes("mail").msgs == 2

    @pytest.mark.parametrize("answer", ["n\n", "", "\n"])
    def test_any_answer_but_yes_cancels_nothing(self, queues, mail, typed, answer):
        id = mail.send_message("mail", "x")
        typed(answer)
        with pytest.raises(CommandError, match=r"^Nothing is deleted\.$"):
            queues("cancel", "mail", id)
        assert mail.get_queue_attributes("mail").msgs == 1

    @pytest.mark.parametrize(
        ("args", "text"),
        [
            (["nowhere", "0" * 32], "There is no queue named nowhere"),
            (["mail", "x"], "id"),
            (["mail"], "ID"),
        ],
    )
    def test_an_impossible_cancellation_is_explained(self, queues, mail, args, text):
        with pytest.raises(CommandError, match=text):
            queues("cancel", *args, "--yes")


class TestStop:
    @pytest.fixture
    def lease(self, mail):
        return QueueLease(mail.session, Config(LEASE=60), "a", "mail")

    @pytest.mark.parametrize("options", [[], ["--force"]])
    def test_it_asks_and_orders_the_worker(self, queues, mail, lease, typed, options):
        held, waiting = mail.send_messages("mail", ["a", "b"])
        mail.session.call_each([lease.claim(1, suspects="take")])
        typed("y\n")
        stopped = queues("stop", "mail", held, waiting, "0" * 32, *options)
        assert stopped.err == "Stop 3 messages of mail? [y/N] "
        assert stopped.out == (
            "Asked to stop 1 message of mail; cancelled 1 message; 1 left alone: it is not in its queue.\n"
        )
        [stop] = extend(mail.session, Config(), {"mail": ["a"]})["mail"].stops
        assert (stop.id, stop.kills, stop.reason) == (held, bool(options), "stopped in a terminal")
