"""The command itself: its verbs, its pages of help, its exits as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from queueing.cli import VERBS
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, site_environment

NAMES = [verb.name for verb in VERBS]


def test_without_a_verb_all_verbs_are_listed(queues):
    listed = queues().out
    for name in [*NAMES, "work"]:
        assert f"\n  {name} " in listed
    assert "VERB --help" in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_an_unknown_verb_is_refused_with_those_there_are(queues):
    with pytest.raises(CommandError, match="invalid choice: 'frobnicate'.*'list'"):
        queues("frobnicate")


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_verb_is_a_page_of_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command = load_command_class(get_commands()["queues"], "queues")
    with pytest.raises(SystemExit):
        command.create_parser("manage.py", "queues").parse_args([name, "--help"])
    page = capsys.readouterr().out
    verb = next(verb for verb in VERBS if verb.name == name)
    assert verb.description in page
    assert max(map(len, page.splitlines())) < 80
    assert len(verb.help) < 60


def test_djangos_own_options_may_follow_the_verb(queues):
    assert queues("list", "--traceback", "--no-color", "--verbosity", "0", "--settings", "x").out


def test_work_is_runworker(monkeypatch, shared_client, queues):
    monkeypatch.setattr("queueing.handlers.queues", list)
    with pytest.raises(CommandError, match="No queue has a handler"):
        queues("work")


@pytest.fixture
def process(redis_server, database) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``manage.py queues`` with pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str, **options) -> subprocess.Popen[str]:
        variables = {**os.environ, **site_environment(redis_server.url, f"sqlite:///{database}")}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
        env = {name: value for name, value in variables.items() if value is not None}
        words = [sys.executable, MANAGE, "queues", *args]
        started.append(subprocess.Popen(words, env=env, text=True, **pipes))
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.communicate(timeout=60)


def test_ctrl_c_ends_a_wait_quietly_with_130(process, client):
    client.create_queue("mail")
    waiting = process("receive", "mail", "--wait", "60")
    eventually(lambda: client.redis.pubsub_numsub("rsmq:rt:mail")[0][1] == 1)
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=60) == ("", "Stopped.\n")
    assert waiting.returncode == 130


def test_a_process_without_a_terminal_refuses_to_delete_with_1(process, client):
    client.create_queue("mail")
    refused = process("delete", "mail")
    assert "add --yes" in refused.communicate("y\n", timeout=60)[1]
    assert refused.returncode == 1
    assert client.list_queues() == ["mail"]


def test_a_body_passes_through_stdin_of_a_process(process, client):
    client.create_queue("mail")
    sent = process("send", "mail", "-")
    id = sent.communicate("é\n", timeout=60)[0].strip()
    assert client.peek_message("mail", id).body == "é\n"


def test_a_reader_that_closes_its_pipe_is_not_an_error(process, client):
    client.create_queue("mail")
    client.send_messages("mail", ["x" * 60_000] * 20)
    reading, writing = os.pipe()
    cut_off = process("receive", "mail", "--count", "20", "--delete", stdout=writing)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    assert cut_off.communicate(timeout=60)[1] == ""
    assert cut_off.returncode == 141
    assert client.get_queue_attributes("mail").msgs == 20


def test_an_absent_redis_is_reported_in_one_sentence(process, redis_server, monkeypatch):
    monkeypatch.setattr(type(redis_server), "url", "redis://127.0.0.1:1/0")
    away = process("list")
    error = away.communicate(timeout=60)[1]
    assert error.startswith("CommandError: Redis does not answer (")
    assert error.count("\n") == 1
    assert away.returncode == 1
