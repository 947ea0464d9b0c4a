"""The verbs that look: list, show, peek."""

import pytest
from django.core.management import CommandError

from queueing.policies import Policy, unique

from .conftest import HOSTILE, printable


def test_the_list_is_a_table_of_all_queues(queues, mail):
    mail.create_queue("a-queue-with-a-long-name")
    mail.pause_queue("mail")
    mail.send_messages("mail", ["ready", "ready"])
    mail.send_message("mail", "later", delay=60)
    header, first, second = queues("list").out.splitlines()
    assert header.split() == ["queue", "ready", "delayed", "running", "dead", "latency", "paused"]
    assert first.split() == ["a-queue-with-a-long-name", "0", "0", "0", "0", "-", "no"]
    name, ready, delayed, running, dead, latency, paused = second.split()
    assert (name, ready, delayed, running, dead, paused) == ("mail", "2", "1", "0", "0", "yes")
    assert latency.endswith("s")
    assert len(header) == len(first) <= 80
    assert header.index("ready") + len("ready") == first.index(" 0 ") + 2


def test_the_long_list_has_rsmqs_attributes(queues, mail):
    header, row = queues("list", "--long").out.splitlines()
    assert "maxsize" in header
    assert "hiddenmsgs" in header
    assert " 65536 " in row


def test_the_list_for_programs_has_flat_objects_with_units_in_the_names(queues, mail):
    mail.send_message("mail", "x")
    [queue] = queues("list", "--json").json
    assert list(queue) == [
        *("queue", "ready", "delayed", "running", "dead", "latency_seconds", "paused"),
        *("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs"),
    ]
    assert (queue["queue"], queue["ready"], queue["paused"], queue["vt"]) == ("mail", 1, False, 30)
    assert isinstance(queue["latency_seconds"], float)


def test_no_queue_at_all_is_said_with_what_to_do(queues):
    assert "queues create NAME" in queues("list").out
    assert queues("list", "--json").json == []


def test_names_that_other_programs_wrote_are_inert(queues, mail):
    mail.redis.sadd("rsmq:QUEUES", HOSTILE.encode("utf-8", "surrogateescape"))
    mail.redis.hset(
        b"rsmq:%s:Q" % HOSTILE.encode("utf-8", "surrogateescape"), mapping={"vt": 1, "delay": 0, "maxsize": 1}
    )
    shown = queues("list").out
    assert r"a\x1b[31m\u202egnp\x00\r\n\x9b2J\udcff漢\U000e0041" in shown
    assert printable(shown)
    assert HOSTILE in [queue["queue"] for queue in queues("list", "--json").json]
    assert queues("list", "--json").out.isascii()


def test_a_queue_is_shown_with_figures_attributes_and_policies(queues, mail):
    mail.set_redrive_policy("mail", 3, "graves")
    shown = {line.split()[0]: line.split()[1] for line in queues("show", "mail").out.splitlines()}
    assert shown["queue"] == "mail"
    assert shown["vt"] == "30"
    assert shown["max_receive_count"] == "3"
    assert shown["dead_letter_queue"] == "graves"
    assert shown["retention_seconds"] == "-"
    assert max(map(len, queues("show", "mail").out.splitlines())) <= 80


def test_a_shown_queue_counts_the_dead_letters_where_they_are(queues, mail):
    mail.create_queue("graves")
    mail.send_message("graves", "dead")
    mail.set_redrive_policy("mail", 3, "graves")
    shown = queues("show", "mail", "--json").json
    assert (shown["dead"], shown["max_receive_count"], shown["dead_letter_queue"]) == (1, 3, "graves")
    assert (shown["retention_seconds"], shown["paused"], shown["msgs"]) == (0, False, 0)


def test_a_time_that_is_none_is_shown_as_its_number(queues, mail):
    mail.redis.hset("rsmq:mail:Q", "created", "99999999999999")
    assert "99999999999999" in queues("show", "mail").out


def test_peeking_shows_the_beginning_of_each_message_and_takes_none(queues, mail):
    id = mail.send_message("mail", "two\nlines")
    assert queues("peek", "mail").out == f"{id}  ready     rc 0  two\\nlines\n"
    [message] = queues("peek", "mail", "--json").json
    fields = {"id", "body", "rc", "due_ms", "sent", "state", "size_bytes", "headers", "waits_for_limit"}
    assert set(message) == fields
    assert (message["id"], message["body"], message["state"]) == (id, "two\nlines", "ready")
    assert mail.get_queue_attributes("mail").totalrecv == 0


def test_peeking_shows_the_key_of_a_unique_message(queues, mail):
    named = unique.headers(Policy(unique="until_done"), "job", ["a"], {})
    id = mail.send_message("mail", "text", headers=named)
    assert queues("peek", "mail").out == f'{id}  ready     rc 0  (unique: job [["a"], {{}}])  text\n'


def test_peeking_takes_from_either_end(queues, mail):
    ids = mail.send_messages("mail", ["first", "second", "third"])
    assert [m["id"] for m in queues("peek", "mail", "--count", "2", "--json").json] == ids[:2]
    assert [m["id"] for m in queues("peek", "mail", "--newest", "--count", "1", "--json").json] == ids[2:]


def test_peeking_into_an_empty_queue_prints_a_note_beside_the_result(queues, mail):
    assert queues("peek", "mail").err == "mail has no messages.\n"
    assert queues("peek", "mail").out == ""
    assert queues("peek", "mail", "--json").json == []


def test_hostile_bodies_are_inert_and_exact_in_json(queues, mail):
    mail.send_message("mail", HOSTILE)
    shown = queues("peek", "mail").out
    assert printable(shown)
    assert r"\x1b[31m\u202egnp\x00\r\n\x9b2J\udcff" in shown
    as_json = queues("peek", "mail", "--json")
    assert as_json.json[0]["body"] == HOSTILE
    assert printable(as_json.out)
    assert as_json.out.isascii()


def test_a_long_body_is_cut(queues, mail):
    mail.set_queue_attributes("mail", maxsize=-1)
    mail.send_message("mail", "漢" * 100_000)
    line = queues("peek", "mail").out
    assert line.endswith("…\n")
    assert len(line) < 160


@pytest.mark.parametrize("verb", ["show", "peek"])
def test_a_queue_that_is_not_there_is_named(queues, verb):
    with pytest.raises(CommandError, match='There is no queue named nowhere: "manage.py queues list" shows'):
        queues(verb, "nowhere")


@pytest.mark.parametrize("count", ["0", "1001", "-1", "many"])
def test_peeking_is_bounded(queues, mail, count):
    with pytest.raises(CommandError, match="is not a number of messages from 1 to 1000"):
        queues("peek", "mail", f"--count={count}")


@pytest.mark.parametrize("args", [["list"], ["show", "mail"]])
def test_warnings_are_printed_below(queues, mail, args):
    mail.redis.hset("rsmq:mail:Q", "0" * 32, "old")
    mail.redis.zadd("rsmq:mail", {"0" * 32: 0})
    mail.redis.hset(mail.keys.outbox_stats(), "lost", 1)
    seen = queues(*args)
    lost, unattended = seen.err.splitlines()
    assert lost.startswith("Warning: 1 outcome is missing in the history")
    assert unattended.startswith("Warning: No worker takes mail: 1 message is ready")
    assert "Warning" not in seen.out
    assert queues(*args, "--json").err == ""
