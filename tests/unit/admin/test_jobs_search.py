"""Finding jobs: the same rows as a plain query, page by page, along an index or by a bounded look."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from django.db import connection
from django.test import Client

from queueing.admin.jobs import search
from queueing.admin.jobs.changelist import names_in
from queueing.admin.jobs.criteria import Criteria
from queueing.admin.jobs.search import SEARCHED_CHARACTERS, Count, Found, JobSearch, Place, rows_in_all
from queueing.models import Job
from tests.support.postgres_server import PostgresServer

from .jobs import LIST, NOON, job, listed, text_of, values

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_away")]


def make(count: int = 120) -> None:
    """Jobs in which every second one finished at the same moment as the one before."""
    states, queues = itertools.cycle(["done", "done", "dead"]), itertools.cycle(["a", "b"])
    Job.objects.bulk_create(
        Job(
            **values(
                number,
                state=next(states),
                queue=next(queues),
                finished_at=NOON + timedelta(seconds=number // 2),
                exception="ValueError" if number % 3 == 2 else None,
                error="ValueError: odd one" if number % 3 == 2 else "",
                body=f"number {number} 50% _",
            )
        )
        for number in range(count)
    )


def pages(search: JobSearch, limit: int, budget_seconds: float = 1.0) -> Iterator[Found]:
    place = None
    while True:
        found = search.find(place, limit=limit, budget_seconds=budget_seconds)
        yield found
        if found.following is None:
            return
        place = Place.read(str(found.following))


def ids(**params: str) -> list[str]:
    search = JobSearch(Criteria.read(params))
    return [job.message_id for found in pages(search, 7) for job in found.jobs]


def plainly(rows: Any) -> list[str]:
    return list(rows.order_by("-finished_at", "-id").values_list("message_id", flat=True))


@pytest.mark.parametrize(
    ("params", "conditions"),
    [
        ({}, {}),
        ({"state": "dead"}, {"state": "dead"}),
        ({"queue": "b", "state": "done"}, {"queue": "b", "state": "done"}),
        ({"exception": "ValueError", "queue": "a"}, {"exception": "ValueError", "queue": "a"}),
        ({"handler": "jobs.handlers.say", "state": "dead", "queue": "a"}, {"state": "dead", "queue": "a"}),
        ({"q": "ODD"}, {"error__icontains": "odd"}),
        ({"q": "number 1"}, {"body__icontains": "number 1"}),
        ({"q": "50% _"}, {}),
        ({"q": "number 1", "state": "dead"}, {"body__contains": "number 1", "state": "dead"}),
        (
            {"since": "2026-03-01T12:00:20Z", "until": "2026-03-01T12:00:30Z"},
            {
                "finished_at__gte": NOON + timedelta(seconds=20),
                "finished_at__lt": NOON + timedelta(seconds=30),
            },
        ),
    ],
)
@pytest.mark.parametrize("step", [3, 10, 1000])
def test_its_pages_are_those_of_a_plain_query(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, str], conditions: dict[str, Any], step: int
) -> None:
    monkeypatch.setattr(search, "STEP", step)
    monkeypatch.setattr(search, "TEXT_STEP", step)
    make()
    assert ids(**params) == plainly(Job.objects.filter(**conditions))


def test_a_search_whose_time_is_up_shows_its_progress_and_continues_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "TEXT_STEP", 50)
    make()
    found = list(pages(JobSearch(Criteria.read({"q": "number 7 50%"})), 50, budget_seconds=-1))
    assert [len(page.jobs) for page in found] == [0, 0, 1]
    assert [page.searched for page in found] == [50, 50, 20]


def test_a_selection_is_searched_by_its_keys() -> None:
    make(10)
    chosen = plainly(Job.objects.all())[3:6]
    keys = Job.objects.filter(message_id__in=chosen).values_list("pk", flat=True)
    assert ids(ids=",".join(map(str, keys))) == chosen
    assert ids(ids="0") == []


def test_redacted_text_cannot_be_found() -> None:
    secret = {"password": "geheim", "name": "Ada"}
    job(1, body=json.dumps(secret))
    job(2, body=json.dumps({"body": json.dumps(secret)}))
    job(3, body=json.dumps({"name": "geheim"}))
    job(4, body=json.dumps(secret), error="geheim")
    job(5, error=f"KeyError: {secret}")
    assert ids(q="geheim") == [f"id{number:030}" for number in (4, 3)]
    assert len(ids(q="ada")) == 4


def test_an_id_is_looked_up_and_a_word_that_is_none_is_searched_for() -> None:
    rows = [job(number) for number in (7, 8, 17)]
    assert ids(q=rows[0].message_id) == [rows[0].message_id]
    assert ids(q="id" + "0" * 28) == [row.message_id for row in rows[::-1]]
    assert ids(q="ID" + "0" * 28) == []
    job(20, body=f"see {'x' * 32}")
    assert ids(q="x" * 32) == [f"id{20:030}"]


def test_only_the_beginning_of_a_long_text_is_searched() -> None:
    within, beyond = SEARCHED_CHARACTERS - 4, SEARCHED_CHARACTERS - 3
    job(1, body="x" * within + "word")
    job(2, body="x" * beyond + "word")
    job(3, error="x" * within + "word")
    job(4, error="x" * beyond + "word")
    assert ids(q="word") == [f"id{number:030}" for number in (3, 1)]


@pytest.mark.parametrize("tail", ["", "\\", "\\u", "\\u00e", r"\"", '"'])
def test_redacted_text_cannot_be_found_at_a_cut(tail: str) -> None:
    inner = json.dumps({"password": "geheim"})[:-1] + ', "name": "'
    start = json.dumps({"body": inner})[:-2]
    filler = "x" * (SEARCHED_CHARACTERS - len(start) - len(tail))
    job(1, body=f"{start}{filler}{tail} and so on")
    assert ids(q="geheim") == []
    assert len(ids(q="xxx")) == 1


def test_counting_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COUNT_MAX", 30)
    make(40)
    count = JobSearch(Criteria()).count()
    assert count
    assert (count.number, count.is_exact, str(count)) == (30, False, "more than 30")
    count = JobSearch(Criteria(state="dead")).count()
    assert count
    assert (count.number, count.is_exact) == (13, True)
    assert JobSearch(Criteria(term="number")).count() is None
    assert rows_in_all() == 40


def test_names_are_found_by_hopping() -> None:
    for number in range(30):
        job(number, queue=f"q{number % 7}", handler="" if number else "h", exception="E" if number else None)
    assert names_in("queue") == [f"q{number}" for number in range(7)]
    assert names_in("queue", limit=3) == ["q0", "q1", "q2"]
    assert names_in("handler") == ["h"]
    assert names_in("exception") == ["E"]


class TestCriteria:
    def test_they_survive_a_query_string(self) -> None:
        given = Criteria(
            "q", "dead", "h", "E", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, 4, 5, tzinfo=UTC),
            "a term", (1, 2),
        )  # fmt: skip
        assert Criteria.read(given.params()) == given

    def test_days_are_those_of_the_viewer_and_the_last_one_is_included(self, settings: Any) -> None:
        settings.TIME_ZONE = "Europe/Berlin"
        found = Criteria.read({"since": "2026-07-01", "until": "2026-07-01"})
        assert found.since == datetime(2026, 6, 30, 22, tzinfo=UTC)
        assert found.until == datetime(2026, 7, 1, 22, tzinfo=UTC)

    @pytest.mark.parametrize(
        "params",
        [
            {"since": "yesterday", "until": "0001-01-01"},
            {"until": "9999-12-31"},
            {"since": "2026-02-30T00:00"},
            {"ids": "1,x,-4,²," + "9" * 40},
            {"q": "\0\ud800" * 500, "queue": "\0" * 300, "period": "aeon"},
        ],
    )
    def test_nonsense_does_no_harm(self, params: dict[str, str]) -> None:
        job()
        criteria = Criteria.read(params)
        assert JobSearch(criteria).find(None, limit=5)
        assert criteria.query_string().isascii()

    @pytest.mark.parametrize("ids", ["", "abc", "9" * 19, "-1"])
    def test_a_selection_that_is_none_is_met_by_nothing(self, ids: str) -> None:
        job()
        criteria = Criteria.read({"ids": ids})
        assert JobSearch(criteria).find(None, limit=5).jobs == []
        assert JobSearch(criteria).count() == Count(0, True)
        assert JobSearch(Criteria.read(criteria.params())).find(None, limit=5).jobs == []

    @pytest.mark.parametrize("text", ["", "x", "1-", "-", "9" * 40 + "-1", "1-" + "9" * 40, "1-1-1"])
    def test_an_invalid_place_begins_again_or_finds_nothing(self, text: str) -> None:
        job()
        assert JobSearch(Criteria()).find(Place.read(text), limit=5) is not None


class TestList:
    def test_pages_follow_each_other_without_numbers(self, boss: Client) -> None:
        make(120)
        seen, path = [], LIST + "?queue=a"
        for _page in range(2):
            html = text_of(boss, path)
            seen += listed(html)
            following = re.search(r'href="(\?before=[^"]+)" rel="next"', html)
            path = LIST + following[1].replace("&amp;", "&") if following else ""
        assert seen == plainly(Job.objects.filter(queue="a"))
        assert not path

    def test_one_can_go_back_page_by_page(self, boss: Client) -> None:
        make(350)

        def link(html: str, rel: str) -> str:
            found = re.search(rf'href="(\?[^"]*)" rel="{rel}"', html)
            return LIST + found[1].replace("&amp;", "&") if found else ""

        html, forth = text_of(boss, LIST + "?queue=a"), []
        assert not link(html, "prev")
        while following := link(html, "next"):
            forth.append(listed(html))
            html = text_of(boss, following)
        assert len(forth) == 3
        back = []
        while previous := link(html, "prev"):
            html = text_of(boss, previous)
            back.append(listed(html))
        assert back == forth[::-1]

    def test_the_way_back_has_an_end_and_no_nonsense(self, boss: Client) -> None:
        make(120)
        way = " ".join(f"17950000000000{number:02}-1" for number in range(60))
        html = text_of(boss, LIST + f"?before=1895000000000000-1&way={quote(way)}")
        [older] = re.findall(r'href="\?([^"]*)" rel="next"', html)
        assert len(parse_qs(unescape(older))["way"][0].split()) == 40
        html = text_of(boss, LIST + "?before=1895000000000000-1&way=%22%3E x")
        assert 'rel="prev"' not in html

    def test_it_shows_the_number_of_jobs(self, boss: Client) -> None:
        make(120)
        assert "120 processed jobs" in text_of(boss, LIST)
        assert "All 40 jobs of this list" in text_of(boss, LIST + "?state=dead")

    def test_a_search_shows_its_extent(self, boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "TEXT_STEP", 50)
        monkeypatch.setattr(search, "BUDGET_SECONDS", -1)
        make(120)
        html = text_of(boss, LIST + "?q=number 7 50%25")
        assert "Searched 50 of about 120 jobs." in html
        assert "Continue the search" in html

    def test_the_filters_keep_each_other_and_begin_at_the_first_page(self, boss: Client) -> None:
        make(120)
        html = text_of(boss, LIST + "?state=done&before=1795000000000000-1&q=number")
        assert 'href="?q=number&amp;queue=a&amp;state=done"' in html
        assert 'href="?period=today&amp;q=number&amp;state=done"' in html
        assert '<input type="hidden" name="state" value="done">' in html
        assert 'name="before"' not in html

    def test_it_asks_few_and_bounded_questions(
        self, boss: Client, django_assert_max_num_queries: Any
    ) -> None:
        make(400)
        boss.get(LIST)
        for query in ("", "?state=dead", "?queue=a&state=done", "?q=nowhere", f"?before={quote('1-1')}"):
            with django_assert_max_num_queries(16) as queries:
                text_of(boss, LIST + query)
            for sql in (query["sql"] for query in queries if "queueing_job" in query["sql"]):
                assert "OFFSET" not in sql
                assert "DISTINCT" not in sql
                assert (
                    "LIMIT" in sql
                    or "MIN(" in sql
                    or "MAX(" in sql
                    or '"id" IN' in sql
                    or 'finished_at" >=' in sql
                ), sql
                if "LIKE" not in sql:  # a text search reads the payload of its hits
                    assert not re.search(r'SELECT[^()]*"(body|error|traceback)"[^()]*FROM', sql), sql


# --- which index answers -------------------------------------------------------------------------

PLANS = [
    (Criteria(), "queueing_job_newest"),
    (Criteria(state="dead"), "queueing_job_state"),
    (Criteria(queue="a"), "queueing_job_queue"),
    (Criteria(handler="h"), "queueing_job_handler"),
    (Criteria(exception="E"), "queueing_job_exception"),
    (Criteria(exception="E", queue="a"), "queueing_job_exception"),
    (Criteria(exception="E", handler="h"), "queueing_job_failing"),
    (Criteria(state="done", queue="a"), "queueing_job_queue"),
    (Criteria(since=NOON, until=NOON + timedelta(hours=1)), "queueing_job_newest"),
]


@pytest.mark.parametrize(("criteria", "index"), PLANS)
def test_sqlite_walks_along_the_index_without_sorting(criteria: Criteria, index: str) -> None:
    search = JobSearch(criteria)
    for place in (None, Place(NOON, 7)):
        plan = search._along(place)[:50].explain()
        assert f"USING INDEX {index}" in plan or f"USING COVERING INDEX {index}" in plan, plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN queueing_job USING" in plan or "SEARCH" in plan


def test_sqlite_looks_up_the_beginning_of_an_id() -> None:
    job()
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "LIKE" in sql and "EXPLAIN" not in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                seen.append(str(cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        JobSearch(Criteria(term="id000000000"))
    assert ["queueing_job_message_id" in plan and "SEARCH" in plan for plan in seen] == [True]


def test_sqlite_reads_no_index_to_its_end_to_count_the_rows() -> None:
    make(40)
    seen = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "EXPLAIN" not in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                seen.extend(plan[-1] for plan in cursor.fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert rows_in_all() == 40
    assert seen == ["SEARCH queueing_job"] * 2


POSTGRES = """
import django, json, sys
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from datetime import UTC, datetime, timedelta
from django.db import connection
from benchmarks.plenty import fill
from queueing.admin.jobs.criteria import Criteria
from queueing.admin.jobs.search import Count, JobSearch, Place
from queueing.admin.jobs.failures import _grouped, failures
from queueing.admin.jobs.changelist import names_in
fill(20000)
now = datetime.now(UTC)
place = Place(now - timedelta(days=14), 10000)
plans = {}
for name, criteria in {
    "newest": Criteria(),
    "state": Criteria(state="dead"),
    "queue": Criteria(queue="queue3"),
    "handler": Criteria(handler="shop.handlers.handler7"),
    "exception": Criteria(exception="KeyError"),
}.items():
    for at in (None, place):
        plans[f"queueing_job_{name} {bool(at)}"] = JobSearch(criteria)._along(at)[:50].explain()
with connection.cursor() as cursor:
    cursor.execute("EXPLAIN SELECT id FROM queueing_job WHERE message_id::text LIKE 'hof000123%%' LIMIT 9")
    plans["queueing_job_message_id like"] = str(cursor.fetchall())
plans["queueing_attempt_failures"] = _grouped(now - timedelta(days=2)).explain()
print(json.dumps({"plans": plans, "queues": names_in("queue"), "failures": failures("month").counted}))
"""


def test_postgresql_walks_along_the_indexes_too() -> None:
    import os
    import subprocess
    import sys

    with PostgresServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", POSTGRES],
            env={
                **os.environ,
                "DATABASE_URL": server.url,
                "DJANGO_SETTINGS_MODULE": "mqsite.settings",
                "DEBUG": "1",
                "SECRET_KEY": "x",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, plan in found["plans"].items():
        # For a common value it may walk along all that is newest instead.
        assert name.split()[0] in plan or "queueing_job_newest" in plan, (name, plan)
        assert "Seq Scan" not in plan, (name, plan)
        if name.startswith("queueing_job_") and "like" not in name:
            assert "Sort" not in plan, (name, plan)
    assert len(found["queues"]) >= 9
    assert found["failures"] > 500
