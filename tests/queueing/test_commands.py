"""``manage.py queues`` and the options of ``runworker``."""

import json

import pytest
from django.core.management import CommandError, call_command


@pytest.fixture
def run(shared_client, capsys):
    def call(*args):
        call_command(*args)
        return capsys.readouterr().out

    return call


def test_a_queue_is_created_filled_and_looked_at(run, shared_client):
    assert run("queues", "create", "mail", "--vt", "5") == "created mail\n"
    id = run("queues", "send", "mail", "two\nlines").strip()
    assert shared_client.peek_message("mail", id).body == "two\nlines"
    assert run("queues", "peek", "mail") == f"{id}  ready     rc 0  two\\x0alines\n"
    assert json.loads(run("queues", "peek", "mail", "--json"))[0]["body"] == "two\nlines"
    header, row = run("queues", "list").splitlines()
    assert header.split()[:3] == ["queue", "ready", "delayed"]
    assert row.split()[:3] == ["mail", "1", "0"]
    assert (
        json.loads(run("queues", "list", "--json"))[0] | {"vt": 5, "queue": "mail"}
        == json.loads(run("queues", "list", "--json"))[0]
    )


def test_a_configured_queue_that_is_missing_is_created_by_the_first_send(run, shared_client):
    run("queues", "send", "testqueue", "Hello")
    assert shared_client.get_queue_attributes("testqueue").msgs == 1


def test_no_queue_at_all_is_said_with_what_to_do(run):
    assert "queues create NAME" in run("queues", "list")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["send", "nowhere", "x"], "Queue not found"),
        (["create", "a b"], "Invalid qname format"),
        (["peek", "nowhere"], "Queue not found"),
    ],
)
def test_what_is_refused_is_one_sentence(run, args, text):
    with pytest.raises(CommandError, match=text):
        run("queues", *args)


def test_a_named_queue_without_handler_stops_the_worker_with_a_sentence(shared_client):
    with pytest.raises(CommandError, match=r'@handler\("nowhere"\)'):
        call_command("runworker", "nowhere")


@pytest.mark.parametrize("option", ["--processes", "--threads"])
def test_a_worker_needs_at_least_one_of_each(option):
    with pytest.raises(CommandError):
        call_command("runworker", option, "0")
