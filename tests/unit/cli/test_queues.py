"""The verbs that make, change and end queues: create, set, pause, resume, delete."""

import pytest
from django.core.management import CommandError

from queueing.messages import QueuePolicy


def test_a_queue_is_created_with_its_attributes(queues, shared_client):
    created = queues("create", "mail", "--vt", "5", "--delay", "2", "--maxsize", "-1")
    assert created.out == "Created mail.\n"
    attributes = shared_client.get_queue_attributes("mail")
    assert (attributes.vt, attributes.delay, attributes.maxsize) == (5, 2, -1)


def test_a_queue_is_not_created_twice(queues, mail):
    with pytest.raises(CommandError, match='There is a queue named mail already: "manage.py queues set"'):
        queues("create", "mail")


@pytest.mark.parametrize("name", ["a b", "a:b", "", "QUEUES", "x" * 161, "\x1b[31m", "é"])
def test_a_name_that_is_none_is_refused_with_what_one_is(queues, name):
    with pytest.raises(
        CommandError, match="is not a queue name: use 1 to 160 letters, digits, - and _"
    ) as refused:
        queues("create", name)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--vt=-1", '"-1" is not a whole number of seconds from 0 to 9999999'),
        ("--vt=5s", '"5s" is not a whole number of seconds'),
        ("--delay=10000000", '"10000000" is not a whole number of seconds'),
        ("--maxsize=1", '"1" is not a size: use 1024 to 65536, or -1 for any'),
        ("--maxsize=big", '"big" is not a size'),
        ("--vt=1_000", '"1_000" is not a whole number of seconds'),
        ("--maxsize=2_048", '"2_048" is not a size'),
    ],
)
@pytest.mark.parametrize("verb", ["create", "set"])
def test_a_number_out_of_bounds_is_refused_with_its_bounds(queues, mail, verb, option, text):
    with pytest.raises(CommandError, match=text):
        queues(verb, "mail", option)


def test_setting_changes_what_is_named_and_shows_the_queue(queues, mail):
    assert "vt                 7" in queues("set", "mail", "--vt", "7").out
    shown = queues("set", "mail", "--delay", "3", "--retention", "60", "--json").json
    assert (shown["vt"], shown["delay"], shown["maxsize"], shown["retention_seconds"]) == (7, 3, 65536, 60)


def test_a_redrive_policy_is_set_piece_by_piece_and_taken_away(queues, mail):
    queues("set", "mail", "--max-receive-count", "3")
    assert mail.get_queue_policy("mail") == QueuePolicy(3, "mail-dead")
    queues("set", "mail", "--dead-letter-queue", "graves")
    assert mail.get_queue_policy("mail") == QueuePolicy(3, "graves")
    queues("set", "mail", "--max-receive-count", "5")
    assert mail.get_queue_policy("mail") == QueuePolicy(5, "graves")
    queues("set", "mail", "--no-redrive")
    assert mail.get_queue_policy("mail") == QueuePolicy()


def test_a_retention_is_set_and_taken_away(queues, mail):
    queues("set", "mail", "--retention", "3600")
    assert mail.get_queue_policy("mail").retention_seconds == 3600
    queues("set", "mail", "--no-retention")
    assert mail.get_queue_policy("mail").retention_seconds == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "Say what to set: --vt"),
        (["--dead-letter-queue", "graves"], "add --max-receive-count"),
        (["--no-redrive", "--max-receive-count", "3"], "leave out its other options"),
        (["--max-receive-count", "3", "--dead-letter-queue", "mail"], "cannot be its own dead-letter queue"),
        (["--max-receive-count", "0"], "is not a number of receives from 1 to 1000"),
        (["--retention", "0"], "is not a whole number of seconds from 1 to"),
        (["--retention", "5", "--no-retention"], "not allowed with argument"),
    ],
)
def test_settings_that_make_no_sense_are_refused_and_nothing_is_set(queues, mail, options, text):
    with pytest.raises(CommandError, match=text) as refused:
        queues("set", "mail", *options, *(["--vt", "9"] if options else []))
    assert not str(refused.value).endswith("..")
    assert mail.get_queue_attributes("mail").vt == 30
    assert mail.get_queue_policy("mail") == QueuePolicy()


def test_a_paused_queue_gives_nothing_out_until_it_is_resumed(queues, mail):
    mail.send_message("mail", "x")
    assert queues("pause", "mail").out.startswith("Paused mail")
    assert mail.receive_message("mail") is None
    assert queues("resume", "mail").out == "Resumed mail.\n"
    assert mail.receive_message("mail").body == "x"


def test_deleting_a_queue_asks_with_the_number_of_its_messages(queues, mail, typed):
    mail.send_messages("mail", ["x", "y"])
    typed("y\n")
    deleted = queues("delete", "mail")
    assert deleted.err == "Delete the queue mail with its 2 messages? [y/N] "
    assert deleted.out == "Deleted mail with its 2 messages.\n"
    assert mail.list_queues() == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yep\n", "Delete\n"])
def test_any_answer_but_yes_deletes_nothing(queues, mail, typed, answer):
    typed(answer)
    with pytest.raises(CommandError, match=r"^Nothing is deleted\.$"):
        queues("delete", "mail")
    assert mail.list_queues() == ["mail"]


def test_without_a_terminal_nothing_is_deleted_unless_yes_is_given(queues, mail):
    with pytest.raises(CommandError, match="There is no terminal for the answer: add --yes") as refused:
        queues("delete", "mail")
    assert refused.value.returncode == 1
    assert queues("delete", "mail", "--yes").out == "Deleted mail with its 0 messages.\n"


@pytest.mark.parametrize(
    "args", [["set", "no", "--vt", "1"], ["pause", "no"], ["resume", "no"], ["delete", "no", "--yes"],
             ["set", "no", "--no-redrive"], ["set", "no", "--max-receive-count", "2"]]
)  # fmt: skip
def test_a_queue_that_is_not_there_is_named(queues, args):
    with pytest.raises(CommandError, match="There is no queue named no:"):
        queues(*args)
