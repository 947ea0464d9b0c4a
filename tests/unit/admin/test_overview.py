"""Charts of queues, rates in their list, and the figures that open pages ask for."""

import json
import re
from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from queueing.admin.queues import charts
from queueing.admin.queues.charts import RANGES, Range
from queueing.broker.rsmq_values import encode
from queueing.client import QueueClient
from queueing.monitoring.series import LEVELS
from tests.support.clock import Clock

LIST = "/admin/queueing/queue/"
LIVE = LIST + "live/"
ALL = LIST + "charts/"
ONE = LIST + "testqueue/charts/"
TITLES = (
    "Throughput and failures",
    "Messages in and out",
    "Run time",
    "Wait",
    "Backlog",
    "Age of the oldest",
)
HOSTILE = ("<script>alert(1)</script>", "safe\u202egpj", "a/b?c=d#e&f", "{{ 7|add:7 }}", "x" * 300)


def text_of(browser: Client, path: str, **query: str) -> str:
    response = browser.get(path, query)
    assert response.status_code == 200, response
    return response.content.decode()


def counted(client: QueueClient, name: str = "testqueue", ago: int = 5, **sums: float) -> None:
    """Workers have counted this in a minute of the last hour, and looked once a minute."""
    now_ms = client.now_ms()
    key, minute = encode(client.keys.metrics(name)), now_ms // 60_000 - ago
    client.redis.hset(key, f"m{minute}", json.dumps(sums))
    client.redis.hset(key, "since", now_ms - 3_600_000)
    client.redis.hsetnx(key, "last", json.dumps([[now_ms, 0, 0, 0]]))


def looked(client: QueueClient, name: str, seconds_ago: int, totalsent: int, msgs: int) -> None:
    """A worker has noted how a queue stood."""
    sample = [client.now_ms() - seconds_ago * 1000, totalsent, 0, msgs]
    client.redis.hset(client.keys.metrics(name), "last", json.dumps([sample]))


def foreign(client: QueueClient, name: str) -> None:
    client.redis.sadd("rsmq:QUEUES", name)
    client.redis.hset(f"rsmq:{name}:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})


def cells(html: str) -> dict[str, str]:
    """Place -> text of the figures in an answer."""
    found = re.findall(r'<span data-live="([^"]*)"[^>]*>(.*?)</span>(?=\s|</td>)', html, re.DOTALL)
    return {place: re.sub(r"<[^>]*>", "", inside) for place, inside in found}


class TestCharts:
    @pytest.mark.parametrize("one", RANGES, ids=lambda one: one.name)
    def test_no_more_is_read_than_there_are_steps(self, one: Range) -> None:
        """Else a month of many queues costs several times as much."""
        spans = {minutes * 60: count for _, minutes, count in LEVELS}
        assert spans[one.seconds // one.points] >= one.points + 1

    def test_the_first_of_too_many_queues_are_shown_with_a_note(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("a", "b"):
            queue.create_queue(name)
            counted(queue, name, done=40)
        assert "done: last 0, highest 80 at" in text_of(boss, ALL)
        monkeypatch.setattr(charts, "MOST_QUEUES", 1)
        html = text_of(boss, ALL, range="day")
        assert "These are the first 1 of 3 queues, by name." in html

    @pytest.mark.parametrize("path", [ALL, ONE])
    def test_all_charts_are_there_and_show_what_was_counted(
        self, boss: Client, queue: QueueClient, path: str
    ) -> None:
        counted(
            queue, done=40, dead=2, r5=42, w6=42, run_ms=100, wait_ms=90, max_ready=17, max_latency_ms=5000
        )

        html = text_of(boss, path)

        for title in TITLES:
            assert title in html, title
        assert "done: last 0, highest 40 at" in html
        assert "dead: last 0, highest 2 at" in html
        assert "p95: last" in html
        assert "highest 17 at" in html
        assert "oldest: last" in html
        assert 'class="bar series-dead"' in html

    @pytest.mark.parametrize(
        ("chosen", "steps"), [("hour", 60), ("day", 72), ("week", 84), ("month", 90), ("", 60)]
    )
    def test_a_time_can_be_chosen(self, boss: Client, queue: QueueClient, chosen: str, steps: int) -> None:
        counted(queue, done=1)

        html = text_of(boss, ALL, range=chosen)

        first = html.partition("<figure")[2].partition("</figure>")[0]
        assert first.count('class="step"') == steps
        assert f'<a href="?range={chosen or "hour"}" aria-current="page">' in html

    @pytest.mark.parametrize("chosen", ["year", "-1", "9" * 400, "<script>", "\0"])
    def test_a_time_that_is_none_is_the_last_hour(
        self, boss: Client, queue: QueueClient, chosen: str
    ) -> None:
        html = text_of(boss, ALL, range=chosen)

        assert '<a href="?range=hour" aria-current="page">' in html
        assert "range=hour&amp;part=live" in html

    def test_before_any_measurement_they_show_a_note(self, boss: Client, queue: QueueClient) -> None:
        assert "Nothing was measured in this time." in text_of(boss, ONE)

    def test_dead_letters_do_not_count_as_work(self, boss: Client, queue: QueueClient) -> None:
        queue.create_queue("testqueue-dead")
        counted(queue, done=1, max_ready=3)
        counted(queue, "testqueue-dead", max_ready=1000)

        assert "ready: last 0, highest 3 at" in text_of(boss, ALL)

    def test_the_open_page_asks_for_the_charts_only(self, boss: Client, queue: QueueClient) -> None:
        html = text_of(boss, ONE, part="live")

        assert "<html" not in html
        assert 'data-live="charts"' in html
        assert "data-live-answer" in html

    def test_the_charts_of_a_queue_that_does_not_exist(self, boss: Client, queue: QueueClient) -> None:
        html = boss.get(LIST + "nothere/charts/", follow=True).content.decode()

        assert "doesn’t exist" in html

    def test_they_are_linked_from_the_list_and_from_the_queue(self, boss: Client, queue: QueueClient) -> None:
        assert f'href="{ALL}"' in text_of(boss, LIST)
        assert f'href="{ONE}"' in text_of(boss, LIST + "testqueue/change/")

    def test_times_are_in_the_zone_of_the_server(
        self, boss: Client, queue: QueueClient, settings: Any
    ) -> None:
        counted(queue, done=1)
        in_utc = re.findall(r"highest 1 at (\d\d):(\d\d)", text_of(boss, ONE))
        settings.TIME_ZONE = "Asia/Kathmandu"  # 5:45 ahead

        in_kathmandu = re.findall(r"highest 1 at (\d\d):(\d\d)", text_of(boss, ONE))

        [(hours, minutes)], [(hours_there, minutes_there)] = in_utc, in_kathmandu
        ahead = int(hours_there) * 60 + int(minutes_there) - int(hours) * 60 - int(minutes)
        assert ahead % (24 * 60) == 5 * 60 + 45


class TestRates:
    def test_how_fast_a_queue_fills_and_empties(self, boss: Client, queue: QueueClient) -> None:
        queue.send_messages("testqueue", ["x"] * 60)
        looked(queue, "testqueue", 60, totalsent=0, msgs=60)  # as many left as came
        counted(queue, ago=1, done=9, dead=1)

        shown = cells(text_of(boss, LIST, attributes="1"))

        # The minute since that look is a little longer on a machine that is slow.
        assert shown["rate_in testqueue"] in ("1/s", *(f"{rate}/min" for rate in range(30, 61)))
        assert shown["rate_out testqueue"] in ("60/min", "1/s")
        assert shown["failures testqueue"] == "10%"
        assert shown["drain testqueue"] == "never"

    def test_an_unknown_value_is_a_dash(self, boss: Client, queue: QueueClient) -> None:
        shown = cells(text_of(boss, LIST, attributes="1"))

        assert [shown[f"{name} testqueue"] for name in ("rate_in", "rate_out", "failures", "drain")] == [
            "–"
        ] * 4

    def test_the_last_hour_is_a_curve_that_leads_to_the_charts(
        self, boss: Client, queue: QueueClient
    ) -> None:
        counted(queue, left=7)
        looked(queue, "testqueue", 10, totalsent=0, msgs=0)

        html = text_of(boss, LIST)

        [curve] = re.findall(r'<a href="([^"]*)"><svg class="queueing-spark"', html)
        assert curve == ONE
        assert "messages out per minute, last hour: last 0, highest 7" in html


class TestLive:
    def test_the_list_has_a_place_for_every_figure_it_asks_for(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.send_messages("testqueue", ["a", "b"])

        html, fresh = text_of(boss, LIST, attributes="1"), text_of(boss, LIVE)

        assert f'data-live-url="{LIVE}?"' in html
        assert cells(fresh)["ready testqueue"] == "2"
        assert set(cells(fresh)) == set(cells(html))

    def test_so_has_the_page_of_a_queue(self, boss: Client, queue: QueueClient) -> None:
        html = text_of(boss, LIST + "testqueue/change/")

        assert f'data-live-url="{LIVE}?name=testqueue"' in html
        places = set(re.findall(r'data-live="([^"]*) testqueue"', html))
        assert places >= {"ready", "latency", "rate_in", "rate_out", "failures", "drain", "state"}
        assert {f"{name} testqueue" for name in places} == set(cells(text_of(boss, LIVE, name="testqueue")))

    def test_it_shows_the_values_of_the_list_and_learns_of_a_pause(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.send_messages("testqueue", ["x"] * 60)
        looked(queue, "testqueue", 60, totalsent=0, msgs=60)
        counted(queue, ago=1, done=9, dead=1, left=10)

        html = text_of(boss, LIST + "testqueue/change/")
        shown = cells(html)

        # The minute since that look is a little longer on a machine that is slow.
        assert shown["rate_in testqueue"] in ("1/s", *(f"{rate}/min" for rate in range(30, 61)))
        assert shown["failures testqueue"] == "10%"
        assert shown["drain testqueue"] == "never"
        assert f'<td><a href="{ONE}"><svg class="queueing-spark"' in html
        assert "active" in shown["state testqueue"]
        queue.pause_queue("testqueue")
        assert 'data-state="paused">paused<' in text_of(boss, LIVE, name="testqueue")

    def test_only_values_that_are_shown_are_read(self, boss: Client, queue: QueueClient) -> None:
        for number in range(120):
            queue.create_queue(f"q{number:03}")

        def names(**query: str) -> list[str]:
            places = cells(text_of(boss, LIVE, **query))
            return [place.split()[1] for place in places if place.startswith("ready ")]

        assert names(name="q007") == ["q007"]
        assert names(p="2") == [f"q{number:03}" for number in range(100, 120)] + ["testqueue"]
        assert names(q="Q11") == [f"q11{number}" for number in range(10)]
        assert len(names(p="0")) == len(names(p="x")) == len(names(p="9" * 30)) == 100
        assert names(name="nothere") == names(p="3") == []

    def test_many_who_look_read_once(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[object] = []
        figures = QueueClient.queue_figures
        monkeypatch.setattr(
            QueueClient,
            "queue_figures",
            lambda self, names: (read.append(names), figures(self, names))[1],
        )

        began = monotonic()
        for _ in range(5):
            text_of(boss, LIVE)

        assert len(read) <= 1 + (monotonic() - began)

    def test_warnings_come_along(self, boss: Client, queue: QueueClient) -> None:
        queue.send_message("testqueue", "x")
        [id] = queue.redis.zrange("rsmq:testqueue", 0, -1)
        queue.redis.zadd("rsmq:testqueue", {b"0000000000" + id[10:]: 1})
        queue.redis.hset("rsmq:testqueue:Q", b"0000000000" + id[10:], "old")

        assert "No worker takes testqueue" in text_of(boss, LIVE)


#: Role -> status of the page.
ROLES = [
    (None, 302),
    ((), 403),
    (("view_job", "view_worker"), 403),
    (("view_queue",), 200),
    (("change_queue",), 200),
]


@pytest.mark.parametrize("path", [ALL, ONE, ONE + "?part=live", LIVE, LIVE + "?name=testqueue"])
@pytest.mark.parametrize(("rights", "status"), ROLES)
def test_the_rights_to_view(
    staff: Callable[..., Client], queue: QueueClient, path: str, rights: tuple[str, ...] | None, status: int
) -> None:
    browser = Client() if rights is None else staff(*rights)

    response = browser.get(path)

    assert response.status_code == status
    assert browser.post(path).status_code == (302 if rights is None else 405)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_foreign_name_is_text(boss: Client, queue: QueueClient, name: str) -> None:
    foreign(queue, name)
    counted(queue, name, done=1)
    looked(queue, name, 10, totalsent=0, msgs=0)

    [link] = re.findall(r'href="([^"]*/charts/)"><svg', text_of(boss, LIST))
    html = "".join(
        [text_of(boss, LIST), text_of(boss, LIVE), text_of(boss, ALL)]
        + [text_of(boss, LIVE, name=name), text_of(boss, link)]
    )

    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert ">14<" not in html
    assert not set(link) & set("<>?#&\n\0 ")


def test_a_name_that_is_not_text_hides_no_other(boss: Client, queue: QueueClient) -> None:
    queue.redis.sadd("rsmq:QUEUES", b"caf\xe9")
    queue.redis.hset(b"rsmq:caf\xe9:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})
    counted(queue, "caf\udce9", done=1)

    for path in (LIST, LIVE, ALL):
        assert "testqueue" in text_of(boss, path) or path == ALL


@pytest.mark.parametrize(
    "junk", [b"\xff", b"[]", b'{"done": "x", "r5": -1}', b'{"done": 1e400}', b"{" * 5000]
)
def test_any_value_in_the_place_of_the_past(boss: Client, queue: QueueClient, junk: bytes) -> None:
    counted(queue, done=3)
    key, minute = queue.keys.metrics("testqueue"), queue.now_ms() // 60_000
    queue.redis.hset(key, mapping={f"m{minute - 2}": junk, "last": junk, "now": junk})

    for path in (LIST, LIVE, ONE):
        text_of(boss, path)


@pytest.mark.usefixtures("redis_away")
class TestRedisAway:
    @pytest.mark.parametrize("path", [ALL, ONE, LIVE, f"{ONE}?part=live", f"{LIST}{quote('a b')}/charts/"])
    def test_each_shows_it_immediately(self, boss: Client, path: str, redis_away: Clock) -> None:
        html = text_of(boss, path)

        assert redis_away.passed_seconds < 2
        assert "Redis does not answer" in html
        assert "data-unavailable" in html
        assert "secret" not in html

    @pytest.mark.parametrize("path", [ALL, ONE, LIVE])
    def test_rights_hold_all_the_same(self, staff: Callable[..., Client], path: str) -> None:
        assert staff().get(path).status_code == 403
