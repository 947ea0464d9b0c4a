"""Bars, the report of an interrupted work, and text that cannot control a terminal."""

import io

import pytest
from django.core.management import CommandError
from django.core.management.base import OutputWrapper

from queueing.cli.output import Screen, aligned, cut, duration, moment, width
from queueing.client import QueueClient
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable, ReplyLost
from queueing.text.printable import printable

from .conftest import HOSTILE, Terminal


@pytest.mark.parametrize(
    ("args", "doing"),
    [
        (["purge", "mail", "--yes"], "Purging mail"),
        (["move", "mail", "other"], "Moving mail to other"),
        (["redrive", "alive"], "Redriving alive"),
    ],
)
def test_long_work_draws_a_bar_on_a_terminal_and_takes_it_away(queues, mail, args, doing):
    for name in ("other", "alive", "alive-dead"):
        mail.create_queue(name)
    for name in ("mail", "alive-dead"):
        mail.send_messages(name, ["x"] * 450)
    drawn = queues(*args, on_terminal=True).err.split("\r")
    assert drawn[1] == f"{doing}  [########............]  44%  200 of 450"
    assert drawn[3].rstrip() == f"{doing}  [####################] 100%  450 of 450"
    assert drawn[4].strip() == drawn[5] == ""
    assert len(drawn[4]) == len(drawn[3])


def test_a_sweep_of_all_queues_draws_a_bar(queues, mail):
    mail.create_queue("other")
    assert "Sweeping  [##########..........]  50%  1 of 2" in queues("sweep", on_terminal=True).err


def test_without_a_terminal_there_is_no_bar(queues, mail):
    mail.send_messages("mail", ["x"] * 450)
    assert queues("purge", "mail", "--yes").err == ""


def test_a_bar_fits_into_its_line_and_is_drawn_once_per_percent():
    err = Terminal()
    screen = Screen(OutputWrapper(io.StringIO()), OutputWrapper(err))
    screen.columns = 80
    with screen.tally("Purging " + "x" * 160, "deleted") as tally:
        for done in range(0, 100_001, 200):
            tally(done, 100_000)
    lines = err.getvalue().split("\r")
    assert max(map(len, lines)) < 80
    assert len(lines) <= 105


def stops_after_a_step(monkeypatch, error):
    """Purging fails, or is stopped, after 200 messages."""

    def purge(self, qname, *, progress):
        progress(200, 450)
        raise error

    monkeypatch.setattr(QueueClient, "purge_queue", purge)


def test_an_interrupted_work_reports_its_progress_and_exits_130(queues, mail, monkeypatch):
    stops_after_a_step(monkeypatch, KeyboardInterrupt())
    with pytest.raises(SystemExit) as stopped:
        queues("purge", "mail", "--yes")
    assert stopped.value.code == 130
    assert queues.err.getvalue() == "Stopped: at least 200 of 450 messages deleted.\n"


def test_a_work_that_an_error_stops_reports_its_progress(queues, mail, monkeypatch):
    stops_after_a_step(monkeypatch, QueueError("Redis refused a script: \x1b[31mx"))
    with pytest.raises(CommandError) as stopped:
        queues("purge", "mail", "--yes")
    assert str(stopped.value) == (r"Redis refused a script: \x1b[31mx; at least 200 of 450 messages deleted.")


def test_a_question_that_is_interrupted_deletes_nothing(queues, mail, typed, monkeypatch):
    class Interrupted(Terminal):
        def readline(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    with pytest.raises(SystemExit):
        queues("delete", "mail", on_terminal=True)
    assert queues.err.getvalue().endswith("[y/N] \nStopped: nothing is deleted.\n")
    assert mail.list_queues() == ["mail"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (QueueUnavailable("Redis does not answer (x)"), 'that QUEUEING["URL"] is its address.'),
        (QueueRefused("Redis refuses (BUSY): why"), "Redis refuses (BUSY): why."),
        (ReplyLost("Redis does not answer (x); one is taken"), "Redis does not answer (x); one is taken."),
        (QueueError("A sentence."), "A sentence."),
    ],
)  # fmt: skip
def test_errors_of_the_queue_are_one_sentence(queues, mail, monkeypatch, error, text):
    def fail(self):
        raise error

    monkeypatch.setattr(QueueClient, "queue_figures", fail)
    with pytest.raises(CommandError) as told:
        queues("list")
    assert str(told.value).endswith(text)
    assert not str(told.value).endswith("..")


def test_an_output_that_knows_few_characters_gets_the_others_written_out(mail):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Screen(OutputWrapper(out), OutputWrapper(io.StringIO())).say("é 漢")
    out.flush()
    assert out.buffer.getvalue() == b"\\xe9 \\u6f22\n"


def test_unprintable_characters_are_escaped():
    assert printable(HOSTILE) == r"a\x1b[31m\u202egnp\x00\r\n\x9b2J\udcff漢\U000e0041"
    assert printable("é 漢 \U0001f600") == "é 漢 \U0001f600"


def test_columns_are_counted_as_a_terminal_does():
    assert (width("abc"), width("漢字"), width("e\u0301")) == (3, 4, 1)
    assert (cut("abcdef", 6), cut("abcdef", 5), cut("漢字漢字", 6)) == ("abcdef", "abcd…", "漢字…")
    assert aligned([["漢", "1"], ["abc", "10"]], right=True) == ["漢    1", "abc  10"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (59.94, "59.9s"), (185, "3m05s"), (26_400, "7h20m"), (12 * 86_400, "12d")],
)
def test_spans_of_time_are_short(seconds, text):
    assert duration(seconds) == text


def test_a_moment_is_in_utc():
    assert moment(0) == "1970-01-01 00:00:00Z"
    assert moment(10**30) == str(10**30)
