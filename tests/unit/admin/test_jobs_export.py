"""The list as CSV: complete or marked as incomplete, and inert in a spreadsheet."""

import csv
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from queueing.admin.jobs import export
from queueing.admin.jobs.export import COLUMNS, cell
from queueing.models import Job

from .jobs import LIST, job

PAGE = LIST + "export/"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_away")]


def read(browser: Client, query: str = "") -> list[list[str]]:
    response = browser.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    assert response.streaming
    text = b"".join(response).decode()  # type: ignore[arg-type]
    return list(csv.reader(text.splitlines()))


def test_it_has_the_columns_and_rows_of_the_list(boss: Client) -> None:
    rows = [job(number, state="dead" if number == 2 else "done") for number in range(5)]
    titles, *lines = read(boss)
    assert titles == list(COLUMNS)
    assert [line[0] for line in lines] == [row.message_id for row in rows[::-1]]
    [line] = read(boss, "state=dead")[1:]
    assert dict(zip(titles, line, strict=True)) | {"state": "dead", "wait_ms": "20.0"} == dict(
        zip(titles, line, strict=True)
    )
    assert line[titles.index("finished_at")] == "2026-03-01T12:00:02.420000+00:00"


def test_secrets_in_errors_are_struck_out(boss: Client) -> None:
    job(error="login(password='geheim')")
    [titles, line] = read(boss)
    assert line[titles.index("error")] == "login(password='[redacted]')"


def test_only_the_beginning_of_a_long_error_is_read(boss: Client) -> None:
    job(error="E" * 9_000)
    [titles, line] = read(boss)
    assert line[titles.index("error")] == "E" * export.ERROR_MAX


def test_it_is_a_download(boss: Client) -> None:
    response = boss.get(PAGE)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="jobs-')
    assert "no-store" in response["Cache-Control"]


def test_it_reads_in_bounded_steps_and_never_a_payload(
    boss: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(export, "CHUNK", 10)
    for number in range(25):
        job(number, body="secret payload")
    with django_assert_num_queries(2 + 3) as queries:
        assert len(read(boss)) == 26
    assert not any('"body"' in query["sql"] for query in queries)


def test_an_export_that_ends_early_is_marked(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_MAX", 7)
    for number in range(8):
        job(number)
    lines = read(boss)
    assert len(lines) == 1 + 7 + 1
    assert lines[-1] == ["There are more rows: this file ends after 7."]
    Job.objects.earliest("pk").delete()
    assert len(read(boss)) == 1 + 7


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("＝1+1", "'＝1+1"),
        ("﹢1", "'﹢1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("\N{MINUS SIGN}1", "'\N{MINUS SIGN}1"),
        ("a;=1+1", "a;'=1+1"),
        ('a; "=1+1";＝2', "a;' \"=1+1\";'＝2"),
        ("\N{NO-BREAK SPACE}=1", "'\N{NO-BREAK SPACE}=1"),
        ("a=1, b+c", "a=1, b+c"),
        ("\t=1", r"\t=1"),
        ("a\r\nb", r"a\u000d\nb"),
        ("\x1b[31m\u202e\x00", r"\u001b[31m\u202e\u0000"),
        ("\ud800", r"\ud800"),
        ('a "quoted", text', 'a "quoted", text'),
        ("<script>", "<script>"),
        (None, ""),
        (-1, "-1"),
        (9007199254740993, "9007199254740993"),
    ],
)
def test_a_cell_is_inert(text: Any, shown: str) -> None:
    assert cell(text) == shown


def test_hostile_rows_stay_on_their_line(boss: Client) -> None:
    evil = '=cmd|" /C calc"!A0\r\n"x",@y\u202e'
    job(queue=evil, handler=evil, worker=evil, error=evil, exception=evil)
    [line] = read(boss)[1:]
    assert line[1] == "'" + r'=cmd|" /C calc"!A0\u000d\n"x",@y\u202e'
    assert len(line) == len(COLUMNS)


def test_the_rights_to_export(staff: Callable[..., Client]) -> None:
    assert Client().get(PAGE)["Location"].startswith("/admin/login/")
    assert staff("view_job").get(PAGE).status_code == 200


def test_without_the_right_there_is_nothing(staff: Callable[..., Client]) -> None:
    assert staff("view_queue", "delete_job").get(PAGE).status_code == 403
