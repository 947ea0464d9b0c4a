"""The options of ``manage.py runworker``."""

import pytest
from django.core.management import CommandError, call_command


def test_a_named_queue_without_handler_stops_the_worker_with_a_sentence(shared_client):
    with pytest.raises(CommandError, match=r'@handler\("nowhere"\)'):
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


def test_the_help_tells_what_a_signal_does_and_each_default(capsys):
    with pytest.raises(SystemExit):
        call_command("runworker", "--help")
    text = capsys.readouterr().out
    assert "SIGTERM, SIGHUP or Ctrl-C: nothing new is begun" in text
    assert "A second Ctrl-C, or SIGQUIT, gives it\nback now" in text
    for name in (
        "PROCESSES: 1",
        "GRACE: 25",
        "LEASE: 10",
        "MAX_JOBS: 0",
        "MAX_MEMORY: 0",
        "LOG_FORMAT: text",
    ):
        assert name in " ".join(text.split())
