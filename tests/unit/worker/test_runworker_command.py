"""The options of ``manage.py runworker``."""

import sys
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from queueing import handlers
from queueing.conf import Config
from queueing.management.commands import runworker
from queueing.worker.supervisor import Supervisor, queues_in_words


def test_a_named_queue_without_handler_stops_the_worker_with_a_sentence(shared_client):
    with pytest.raises(CommandError, match=r'@handler\("nowhere"\)'):
        call_command("runworker", "nowhere")


@pytest.mark.parametrize(
    ("name", "module", "asks"),
    [("gevent", "gevent.monkey", "is_module_patched"), ("eventlet", "eventlet.patcher", "is_monkey_patched")],
)
@pytest.mark.parametrize("is_patched", [True, False])
def test_a_worker_without_real_threads_is_refused(
    shared_client, monkeypatch, name: str, module: str, asks: str, is_patched: bool
):
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{asks: lambda _part: is_patched}))
    reason = f"{name} has replaced the threads of Python" if is_patched else r'@handler\("nowhere"\)'
    with pytest.raises(CommandError, match=reason):
        call_command("runworker", "nowhere")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--processes", "0"),
        ("--threads", "-1"),
        ("--threads", "two"),
        ("--max-jobs", "-1"),
        ("--grace", "soon"),
        ("--lease", "nan"),
        ("--log-format", "xml"),
        ("--health-file", "/nowhere/at/all"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_a_sentence(option, value):
    with pytest.raises(CommandError, match=value):
        call_command("runworker", f"{option}={value}", "testqueue")


def test_the_help_explains_each_signal_and_each_default(capsys):
    with pytest.raises(SystemExit):
        call_command("runworker", "--help")
    text = capsys.readouterr().out
    assert "After SIGTERM, SIGHUP or Ctrl-C the worker starts no new messages" in text
    assert "A\nsecond Ctrl-C, or SIGQUIT, gives them back now" in text
    for name in (
        "PROCESSES: 1",
        "GRACE: 25",
        "LEASE: 10",
        "MAX_JOBS: 0",
        "MAX_MEMORY: 0",
        "LOG_FORMAT: text",
    ):
        assert name in " ".join(text.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["urgent:0"], "urgent:0: the weight must be a whole number from 1 to 100."),
        (["urgent:101"], "urgent:101: the weight must be a whole number from 1 to 100."),
        (["urgent:"], "urgent:: the weight must be a whole number from 1 to 100."),
        (["urgent:-1"], "urgent:-1: the weight must be a whole number from 1 to 100."),
        (["urgent:1.5"], "urgent:1.5: the weight must be a whole number from 1 to 100."),
        (["urgent:many"], "urgent:many: the weight must be a whole number from 1 to 100."),
        (["urgent:4", "mail", "urgent:2"], "urgent is named with the weights 4 and 2."),
        (
            ["--strict", "urgent:4"],
            "urgent:4: with --strict a queue has no weight, only its place.",
        ),
    ],
)
def test_a_weight_that_makes_no_sense_is_refused_in_a_sentence(options, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("runworker", *options)
    assert str(refused.value) == sentence


@pytest.fixture
def started(monkeypatch) -> list[Config]:
    """The configurations of the workers that the command starts."""
    found: list[Config] = []

    class Started(Supervisor):
        def run(self) -> int:
            found.append(self.config)
            return 0

    monkeypatch.setattr(runworker, "Supervisor", Started)
    monkeypatch.setattr(handlers, "_handlers", {})
    for queue in ("mail", "urgent"):
        handlers.handler(queue)(lambda message: None)
    return found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["urgent:4", "mail:1"], "urgent:4, mail"),
        (["mail"], "mail"),
        (["urgent", "mail", "urgent"], "urgent, mail"),
        (["--strict", "urgent", "mail"], "urgent, mail strictly in this order"),
    ],
)
def test_a_worker_names_its_queues_with_their_weights(started, shared_client, options, words):
    with pytest.raises(SystemExit):
        call_command("runworker", *options)
    [config] = started
    assert queues_in_words(config) == words


def test_a_worker_reports_the_queues_of_the_settings_that_no_handler_serves(
    started, shared_client, settings, caplog
):
    settings.QUEUEING = {**settings.QUEUEING, "QUEUES": ["mail", "orders"]}
    with caplog.at_level("INFO", "queueing.worker"), pytest.raises(SystemExit):
        call_command("runworker")
    sentence = "no handler here for orders: a handler is in the handlers.py of an app in INSTALLED_APPS"
    assert sentence in caplog.messages


def test_a_worker_of_named_queues_reports_no_other_queue(started, shared_client, settings, caplog):
    settings.QUEUEING = {**settings.QUEUEING, "QUEUES": ["mail", "orders"]}
    with caplog.at_level("INFO", "queueing.worker"), pytest.raises(SystemExit):
        call_command("runworker", "mail")
    assert "orders" not in caplog.text
