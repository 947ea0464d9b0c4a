"""The verbs for many messages: purge, redrive, move, sweep."""

import logging

import pytest
from django.core.management import CommandError

from queueing.broker.leases import QueueLease
from queueing.conf import Config


def hold(client, qname: str, count: int) -> None:
    """A worker holds ``count`` messages."""
    client.session.call_each(
        [QueueLease(client.session, Config(LEASE=60), "a", qname).claim(count, suspects="take")]
    )


def test_purging_asks_with_the_number_of_messages(queues, mail, typed):
    mail.send_messages("mail", ["x"] * 12)
    typed("yes\n")
    purged = queues("purge", "mail")
    assert purged.err == "Delete 12 messages of mail? [y/N] "
    assert purged.out == "Deleted 12 messages of mail.\n"
    assert mail.get_queue_attributes("mail").msgs == 0


def test_purging_tells_what_workers_hold_from_what_goes(queues, mail, typed):
    mail.send_messages("mail", ["x", "y", "z"])
    hold(mail, "mail", 2)
    typed("y\n")
    purged = queues("purge", "mail")
    assert purged.err == "Delete 1 message of mail (2 more are running and kept)? [y/N] "
    assert purged.out == "Deleted 1 message of mail.\n"
    assert mail.get_queue_attributes("mail").msgs == 2


@pytest.mark.parametrize("answer", ["n\n", "", "\n"])
def test_any_answer_but_yes_purges_nothing(queues, mail, typed, answer):
    mail.send_message("mail", "x")
    typed(answer)
    with pytest.raises(CommandError, match=r"^Nothing is deleted\.$"):
        queues("purge", "mail")
    assert mail.get_queue_attributes("mail").msgs == 1


def test_without_a_terminal_nothing_is_purged_unless_yes_is_given(queues, mail):
    mail.send_message("mail", "x")
    with pytest.raises(CommandError, match=r"Delete 1 message of mail\? There is no terminal .* add --yes"):
        queues("purge", "mail")
    assert mail.get_queue_attributes("mail").msgs == 1
    assert queues("purge", "mail", "--yes").out == "Deleted 1 message of mail.\n"


def test_an_empty_queue_is_purged_without_a_question(queues, mail):
    assert queues("purge", "mail").out == "mail has no messages to delete.\n"


def test_dead_letters_are_moved_back(queues, mail):
    mail.create_queue("mail-dead")
    ids = mail.send_messages("mail-dead", ["a", "b", "c", "d"])
    assert queues("redrive", "mail", "--count", "1").out == "Moved 1 message from mail-dead back to mail.\n"
    assert mail.peek_messages("mail")[0].id == ids[0]
    named = queues("redrive", "mail", "--id", ids[3], "--id", ids[0], "--id", ids[3])
    assert named.out == (
        "Moved 1 message from mail-dead back to mail; 1 of those named is not ready there.\n"
    )
    assert queues("redrive", "mail").out == "Moved 2 messages from mail-dead back to mail.\n"
    assert {message.id for message in mail.peek_messages("mail")} == set(ids)


def test_dead_letters_come_back_from_where_the_policy_sent_them(queues, mail):
    mail.create_queue("graves")
    mail.send_message("graves", "x")
    mail.set_redrive_policy("mail", 3, "graves")
    assert queues("redrive", "mail").out == "Moved 1 message from graves back to mail.\n"


def test_without_dead_letters_nothing_is_moved_back(queues, mail):
    assert queues("redrive", "mail").out == "Moved 0 messages from mail-dead back to mail.\n"


def test_redriving_a_dead_letter_queue_suggests_its_queue(queues, mail):
    with pytest.raises(CommandError, match='"manage.py queues redrive mail"'):
        queues("redrive", "mail-dead")


def test_ready_messages_are_moved_to_another_queue(queues, mail):
    mail.create_queue("other")
    ids = mail.send_messages("mail", ["a", "b", "c"])
    mail.send_message("mail", "later", delay=60)
    assert queues("move", "mail", "other", "--id", ids[1]).out == "Moved 1 message from mail to other.\n"
    assert queues("move", "mail", "other", "--count", "1").out == "Moved 1 message from mail to other.\n"
    assert queues("move", "mail", "other").out == "Moved 1 message from mail to other.\n"
    assert mail.get_queue_attributes("mail").msgs == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["move", "mail", "nowhere"], "There is no queue named nowhere:"),
        (["move", "nowhere", "mail"], "There is no queue named nowhere:"),
        (["move", "here", "there"], "There is no queue named here and none named there:"),
        (["move", "mail", "mail"], r"cannot be moved to itself\.$"),
        (["move", "mail", "mail", "--id", "x"], '"x" is not an id: an id has 32 letters and digits'),
        (["redrive", "mail", "--count", "0"], "is not a number of messages"),
        (["redrive", "mail", "--count", "1", "--id", "x" * 32], "not allowed with argument"),
        (["purge", "nowhere"], "There is no queue named nowhere:"),
        (["purge", "nowhere", "--yes"], "There is no queue named nowhere:"),
        (["redrive", "nowhere"], "There is no queue named nowhere:"),
        (["sweep", "nowhere"], "There is no queue named nowhere:"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_reason(queues, mail, args, text):
    mail.send_message("mail", "x")
    with pytest.raises(CommandError, match=text):
        queues(*args)


def test_one_queue_is_swept(queues, mail):
    mail.redis.zadd("rsmq:mail", {"a" * 32: 1})
    mail.redis.hset("rsmq:mail:Q", "b" * 32 + ":rc", 1)
    swept = queues("sweep", "mail")
    assert swept.out == "Swept mail: 1 phantom, 1 orphan, 0 expired, 0 buried.\n"
    assert mail.redis.zcard("rsmq:mail") == 0


def test_all_queues_are_swept_and_what_lost_ones_left(queues, mail):
    mail.create_queue("other")
    mail.redis.zadd("rsmq:other", {"a" * 32: 1})
    mail.redis.hset("rsmq:lost:headers", "b" * 32, "{}")
    mail.redis.sadd("rsmq:QUEUES", "not a name\x1b")
    swept = queues("sweep")
    assert swept.out == (
        "Swept 2 queues: 1 phantom, 0 orphans, 0 expired, 0 buried.\nDeleted 1 key of lost queues.\n"
    )
    assert not mail.redis.exists("rsmq:lost:headers")


def test_a_mended_key_is_printed_once_where_no_logging_is_set_up(queues, mail, capfd, monkeypatch):
    for logger in (logging.getLogger(), logging.getLogger("queueing")):
        monkeypatch.setattr(logger, "handlers", [])
    mail.redis.set("rsmq:mail:leases", "theirs")
    assert "rsmq:mail:leases held a value of another type" in queues("sweep", "mail").out
    assert "rsmq:mail:leases" not in capfd.readouterr().err
