"""The worker's log lines for outcomes, as text and as JSON."""

import json
import logging
from typing import Any

import pytest

from queueing.broker.leases import Delivery
from queueing.broker.outcomes import Outcome, State
from queueing.context import Context, current
from queueing.logging import TextFormatter
from queueing.messages import Message
from queueing.text.errors import sentence
from queueing.worker.logging import STEADY_LOGGERS, JsonFormatter, OutcomeLog, _reported, steady
from tests.support.threads import logged_here


def outcome(event: str, **fields: object) -> Outcome:
    return Outcome("q", "i" * 32, 2, State(event), "w", "app.work", 1000.0, 1250.0, 3, 0, **fields)  # type: ignore[arg-type]


def raised() -> Exception:
    try:
        raise ValueError("bad \x1b[31m\nthing")
    except ValueError as error:
        return error


def test_a_failure_has_its_exception_and_its_fields_and_no_control_characters(caplog):
    failed = outcome(
        "retrying",
        error="ValueError: bad \x1b[31m\nthing",
        delay_ms=1500,
        exception=raised(),
        log_fields={"order": "7\n"},
    )
    OutcomeLog(log_jobs=False).write(failed)
    [record] = logged_here(caplog)
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith(
        f"q {'i' * 32} failed (attempt 3), retrying in 1.5 s: ValueError: bad \\x1b[31m\\x0a"
    )
    assert message.endswith(" order=7\\x0a")
    assert record.exc_info[0] is ValueError


FORGED = "evil\r\n2026-11-28 12:00:00 INFO queueing: fake line \x1b[31m \u202e\u2028\x85 end"


def unknown_task() -> None:
    raise LookupError(FORGED)


def unknown_argument() -> None:
    def work() -> None: ...

    work(**{FORGED: 1})


@pytest.mark.parametrize("fail", [unknown_task, unknown_argument])
@pytest.mark.parametrize("formatter", [TextFormatter("%(levelname)s %(message)s"), JsonFormatter()])
def test_no_error_forges_a_line_or_steers_the_terminal(caplog: Any, fail: Any, formatter: logging.Formatter):
    try:
        fail()
    except (LookupError, TypeError) as error:
        text = f"{type(error).__name__}: {error}"
        OutcomeLog(log_jobs=False).write(outcome("dead", error=text, exception=error))
    [record] = logged_here(caplog)
    record.stack_info = f"Stack (most recent call last):\n{FORGED}"

    first, *more = formatter.format(record).split("\n")

    assert not [line for line in more if not line.startswith("    ")]
    assert all(line.isprintable() for line in [first, *more])
    assert first.count("fake line") >= 1
    if more:
        assert more[0] == "    Traceback (most recent call last):"
        assert more[-1].startswith(
            "    2026-11-28 12:00:00 INFO queueing: fake line \\x1b[31m \\u202e\\u2028"
        )


def test_lines_that_a_handler_logs_itself_stay_one_record():
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "got %s", (FORGED,), None)
    first, second = TextFormatter("%(message)s").format(record).split("\n")
    assert first == r"got evil\x0d"
    assert second == r"    2026-11-28 12:00:00 INFO queueing: fake line \x1b[31m \u202e\u2028\x85 end"


@pytest.mark.parametrize(
    ("event", "level"),
    [
        ("dead", "ERROR"),
        ("released", "INFO"),
        ("lease lost", "WARNING"),
        ("gone", "WARNING"),
        ("done", "INFO"),
    ],
)
def test_every_outcome_that_matters_has_a_line(caplog, event, level):
    with caplog.at_level("INFO"):
        OutcomeLog(log_jobs=False).write(outcome(event))
    assert [record.levelname for record in logged_here(caplog)] == [level]


@pytest.mark.parametrize(
    ("started_ms", "text"),
    [(1000.0, "stopped after 1.500 s: wrong file"), (None, "cancelled before it began: wrong file")],
)
def test_only_a_job_that_has_begun_is_stopped(caplog, started_ms, text):
    ended = Outcome(
        "q", "i" * 32, 1, State.CANCELLED, "w", "", started_ms, 2500.0, error="wrong file",
        exception=raised(),
    )  # fmt: skip
    with caplog.at_level("INFO"):
        OutcomeLog(log_jobs=False).write(ended)
    [record] = logged_here(caplog)
    assert record.getMessage() == f"q {'i' * 32} {text}"
    assert record.exc_info is None, "A stop is not an error; the history has the traceback."


def test_short_successes_are_counted_unless_each_is_wanted(caplog):
    short = Outcome("q", "i" * 32, 1, State.DONE, "w", "app.work", 1000.0, 1001.0, 1, 0)
    with caplog.at_level("INFO"):
        OutcomeLog(log_jobs=False).write(short)
        assert not logged_here(caplog)
        OutcomeLog(log_jobs=True).write(short)
    assert len(logged_here(caplog)) == 1


def test_the_count_of_short_successes_does_not_read_like_the_time_of_one_run(caplog):
    log = OutcomeLog(log_jobs=False)
    with caplog.at_level("INFO"):
        log.write(Outcome("q", "i" * 32, 1, State.DONE, "w", "app.work", 1000.0, 1001.0, 1, 0))
        log.flush(at_end=True)
    assert "1 done in the last " in logged_here(caplog)[0].getMessage()


def test_a_line_of_json_holds_the_run_the_exception_and_the_fields(caplog):
    with caplog.at_level("INFO"):
        OutcomeLog(log_jobs=False).write(
            outcome("dead", error="ValueError: bad", exception=raised(), log_fields={"a": 1})
        )
    line = JsonFormatter().format(logged_here(caplog)[0])
    assert "\n" not in line
    found = json.loads(line)
    assert (found["queue"], found["state"], found["attempt"], found["a"], found["seconds"]) == (
        "q",
        "dead",
        3,
        1,
        0.25,
    )
    assert "ValueError: bad" in found["exception"]
    assert found["level"] == "ERROR"


def test_a_handlers_own_log_lines_carry_its_message(caplog):
    context = Context(Delivery("q", Message("i" * 32, "text", 4, 0, 0.0), 1, 0, 0), None)  # type: ignore[arg-type]
    context.log(order="é\ud800")
    token = current.set(context)
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "hello %s", ("\n",), None)
    found = json.loads(JsonFormatter().format(record))
    current.reset(token)
    assert (found["message"], found["queue"], found["id"], found["rc"], found["attempt"]) == (
        "hello \n",
        "q",
        "i" * 32,
        4,
        2,
    )
    assert found["order"] == "é\ud800"


class Failing(logging.Handler):
    def emit(self, record):
        raise SystemExit("the handler")


@pytest.fixture
def steady_logger():
    """The logger of the worker, whose handlers are the test's, made steady."""
    logger = logging.getLogger("queueing.worker")
    steady()
    before = list(logger.handlers)
    yield logger
    logger.handlers[:] = before
    for name in STEADY_LOGGERS:
        del logging.getLogger(name).handle
        del logging.getLogger(name).makeRecord
    _reported.clear()


def test_a_log_handler_that_fails_ends_nothing_and_is_reported_once(steady_logger, capsys):
    steady_logger.addHandler(Failing())
    for _ in range(3):
        OutcomeLog(log_jobs=False).write(outcome("dead", error="ValueError: bad", exception=raised()))
    assert capsys.readouterr().err.count("SystemExit: the handler") == 1


def test_a_record_factory_that_fails_costs_no_line_and_is_reported_once(steady_logger, caplog, capsys):
    def fail(*_, **__):
        raise SystemExit("the factory")

    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(fail)
    try:
        for _ in range(3):
            OutcomeLog(log_jobs=False).write(outcome("dead", error="ValueError: bad", exception=raised()))
    finally:
        logging.setLogRecordFactory(factory)
    assert capsys.readouterr().err.count("SystemExit: the factory") == 1
    assert [json.loads(JsonFormatter().format(record))["state"] for record in logged_here(caplog)] == [
        "dead"
    ] * 3


def test_a_long_traceback_is_cut_in_every_log(steady_logger, caplog):
    try:
        raise ValueError("x" * 10_000_000)
    except ValueError as error:
        OutcomeLog(log_jobs=False).write(outcome("dead", error=sentence(error), exception=error))
        steady_logger.exception("something else failed")
        logging.getLogger("asyncio").error("Task exception was never retrieved: %r", error)
    for record in logged_here(caplog):
        for formatter in (JsonFormatter(), TextFormatter("%(message)s"), logging.Formatter()):
            assert len(formatter.format(record)) < 6_000
        assert not record.exc_info or record.exc_info[0] is ValueError, (
            "programs that collect errors get the exception itself"
        )


class Unprintable:
    def __str__(self):
        raise SystemExit

    __repr__ = __str__


@pytest.mark.parametrize("value", [Unprintable(), "x" * 10_000_000, [Unprintable()]])
def test_a_field_that_a_handler_adds_costs_no_line(caplog, value):
    OutcomeLog(log_jobs=False).write(outcome("dead", log_fields={"order": value}))
    [record] = logged_here(caplog)
    assert len(record.getMessage()) < 2_000
    assert json.loads(JsonFormatter().format(record))["state"] == "dead"


def test_a_field_of_a_handler_replaces_nothing_of_a_line_of_json(caplog):
    fields = {
        "level": 9,
        "message": "x",
        "time": "never",
        "logger": "mine",
        "state": "done",
        "exception": "none",
    }
    OutcomeLog(log_jobs=False).write(outcome("dead", log_fields=fields, exception=raised()))
    line = json.loads(JsonFormatter().format(logged_here(caplog)[0]))
    assert (line["level"], line["logger"], line["state"]) == ("ERROR", "queueing.worker", "dead")
    assert "dead after" in line["message"]
    assert "ValueError" in line["exception"]
    assert line["time"] != "never"


def test_fields_in_a_circle_cost_no_line_of_json(caplog):
    circle: list = []
    circle.append(circle)
    OutcomeLog(log_jobs=False).write(outcome("dead", log_fields={"order": circle}))
    assert json.loads(JsonFormatter().format(logged_here(caplog)[0]))["state"] == "dead"
