"""The admin's page of workers."""

import json
from collections.abc import Callable
from time import monotonic

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.monitoring.workers import beat as beat_once
from queueing.monitoring.workers import quiet_worker, read_workers
from tests.support.clock import Clock

PAGE = "/admin/queueing/worker/"
LIVE = PAGE + "live/"
HOSTILE = ("<script>alert(1)</script>", "safe\u202egpj", "nul\0", "a/b?c=d#e&f", "{{ 7|add:7 }}", "x" * 300)


def beat(client: QueueClient, name: str, **more: object) -> None:
    """A heartbeat as a worker sends it."""
    record = {
        "host": "host-1",
        "pid": 4711,
        "version": "0.1.0",
        "token": f"token of {name}",
        "uptime_ms": 3_600_000,
        "queues": ["testqueue"],
        "processes": 2,
        "threads": 3,
        "memory_bytes": 50 * 1024 * 1024,
        "round_trip_ms": 0.42,
        "quiet": False,
        "children": [],
    }
    beat_once(client.session, name, json.dumps(record | more), f"token of {name}")


def running(id: str, queue: str = "testqueue") -> dict[str, object]:
    return {"name": "child", "pid": 4712, "running": [{"id": id, "queue": queue, "started_ms": 1000}]}


def let_pass(client: QueueClient, name: str, seconds: int) -> None:
    """The worker has sent no heartbeat for ``seconds``."""
    beat_ms, _, record = client.redis.hget("rsmq::workers", name).partition(b" ")
    client.redis.hset("rsmq::workers", name, b"%d %s" % (int(beat_ms) - seconds * 1000, record))


def text_of(browser: Client, path: str = PAGE) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


class TestPage:
    def test_it_shows_all_of_a_worker(self, boss: Client, queue: QueueClient) -> None:
        id = queue.send_message("testqueue", "text")
        beat(queue, "w1", children=[running(id)])

        html = text_of(boss)

        for text in (
            "w1",
            "host-1",
            "4711",
            "4712",
            "0.1.0",
            "50.0\xa0MB",
            "1 of 6",
            "0.4 ms",
            "1\xa0h\xa00\xa0min",
        ):
            assert text in html, text
        assert f"/admin/queueing/queue/testqueue/messages/{id}/" in html
        assert 'data-state="busy"' in html
        assert "1 worker is alive." in html

    def test_how_far_a_running_job_is(self, boss: Client, queue: QueueClient) -> None:
        id = queue.send_message("testqueue", "text")
        rc = queue.receive_message("testqueue").rc
        queue.report_progress("testqueue", id, rc, 0.25, "page 1 of 4")
        beat(queue, "w1", children=[running(id)])

        html = text_of(boss)

        assert '<progress max="1" value="0.2500"' in html
        assert "page 1 of 4" in html

    @pytest.mark.parametrize(("seconds", "word"), [(5, "idle"), (30, "silent"), (120, "dead")])
    def test_a_silent_worker_is_marked_and_stays(
        self, boss: Client, queue: QueueClient, seconds: int, word: str
    ) -> None:
        beat(queue, "w1")
        let_pass(queue, "w1", seconds)

        html = text_of(boss)

        assert f">{word}</span>" in html
        assert ("queueing-gone" in html) == (seconds > 20)
        assert ("/worker/quiet/" in html) == (seconds <= 20)

    def test_dead_workers_are_at_the_end(self, boss: Client, queue: QueueClient) -> None:
        for name in "abc":
            beat(queue, name)
        let_pass(queue, "a", 100)

        html = text_of(boss)

        assert html.index('data-key="b"') < html.index('data-key="c"') < html.index('data-key="a"')

    def test_without_a_worker_it_explains_how_to_start_one(self, boss: Client, queue: QueueClient) -> None:
        assert "manage.py runworker" in text_of(boss)

    def test_the_open_page_asks_for_the_rows_alone(self, boss: Client, queue: QueueClient) -> None:
        beat(queue, "w1")

        html = text_of(boss, LIVE)

        assert "<html" not in html
        assert "data-live-answer" in html
        assert 'data-live="rows"' in html
        assert "w1" in html

    def test_many_who_look_read_once(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        beat(queue, "w1")
        read: list[int] = []
        lists = QueueClient.list_queues
        monkeypatch.setattr(QueueClient, "list_queues", lambda self: (read.append(1), lists(self))[1])

        began = monotonic()
        for _ in range(5):
            text_of(boss, LIVE)

        # The rows and the warnings are read, each once in a second at the most.
        assert len(read) <= 2 + 2 * (monotonic() - began)


class TestQuiet:
    def test_a_worker_gets_the_order_and_it_is_logged(self, boss: Client, queue: QueueClient) -> None:
        beat(queue, "w1")

        html = boss.post(PAGE + "quiet/", {"name": "w1"}, follow=True).content.decode()

        assert "The worker w1 becomes quiet" in html
        assert "quiet from the next heartbeat" in html
        assert "/worker/resume/" in html
        [worker] = read_workers(queue.session)
        assert worker.is_quiet_wanted
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.content_type.model) == ("w1", "worker")
        assert "quiet" in entry.get_change_message()

    def test_it_gets_the_order_to_work_again(self, boss: Client, queue: QueueClient) -> None:
        beat(queue, "w1")
        quiet_worker(queue.session, "w1")

        html = boss.post(PAGE + "resume/", {"name": "w1"}, follow=True).content.decode()

        assert "The worker w1 resumes: it claims messages again." in html
        assert not read_workers(queue.session)[0].is_quiet_wanted

    @pytest.mark.parametrize("name", ["gone", "", "nul\0", "new\nline", "x" * 5000])
    def test_one_that_is_not_there(self, boss: Client, queue: QueueClient, name: str) -> None:
        html = boss.post(PAGE + "quiet/", {"name": name}, follow=True).content.decode()

        assert "Nothing was changed" in html
        assert not LogEntry.objects.exists()

    def test_looking_changes_nothing(self, boss: Client, queue: QueueClient) -> None:
        beat(queue, "w1")

        assert boss.get(PAGE + "quiet/", {"name": "w1"}).status_code == 405
        assert not read_workers(queue.session)[0].is_quiet_wanted

    def test_it_needs_a_token(self, boss: Client, queue: QueueClient) -> None:
        beat(queue, "w1")
        boss.handler.enforce_csrf_checks = True

        assert boss.post(PAGE + "quiet/", {"name": "w1"}).status_code == 403
        assert not read_workers(queue.session)[0].is_quiet_wanted

    def test_the_log_leads_to_the_page(self, boss: Client, queue: QueueClient) -> None:
        assert boss.get(PAGE + "w1/change/")["Location"] == PAGE
        assert boss.get(PAGE + "w1/history/").status_code == 200


class TestOutbox:
    def test_an_empty_one(self, boss: Client, queue: QueueClient) -> None:
        assert "All outcomes are in the history" in text_of(boss)

    def test_how_much_waits_and_since_when(self, boss: Client, queue: QueueClient) -> None:
        queue.redis.xadd("rsmq::outbox", {"count": 1}, id=f"{queue.now_ms() - 120_000}-0")
        queue.redis.hset("rsmq::outbox:stats", "bytes", 4096)

        html = text_of(boss)

        assert "1 batch of outcomes waits for the recorder: 4.0\xa0KB of 7.6\xa0MB, for 2\xa0min" in html
        assert "acknowledge/" not in html

    def test_lost_outcomes_cause_a_warning_until_somebody_acknowledges_them(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.redis.hset("rsmq::outbox:stats", "lost", 3)
        html = text_of(boss)
        assert "3 outcomes are missing in the history." in html
        assert 'name="name" value="3"' in html
        queue.redis.hset("rsmq::outbox:stats", "lost", 5)  # two more, which nobody has seen

        said = boss.post(PAGE + "acknowledge/", {"name": "3"}, follow=True).content.decode()

        assert "Took note of 3 lost outcomes." in said
        assert "2 outcomes are missing in the history." in said
        [entry] = LogEntry.objects.all()
        assert (entry.object_repr, entry.change_message) == ("outbox", "Took note of 3 lost outcomes.")

    @pytest.mark.parametrize("name", ["", "0", "-1", "1.5", "w1", "9" * 30, "²"])
    def test_nothing_is_noted_of_what_was_not_lost(self, boss: Client, queue: QueueClient, name: str) -> None:
        queue.redis.hset("rsmq::outbox:stats", "lost", 3)
        boss.post(PAGE + "acknowledge/", {"name": name})
        assert outbox.stats(queue.session).unseen == 3
        assert not LogEntry.objects.exists()

    def test_it_has_a_right_of_its_own(self, staff: Callable[..., Client], queue: QueueClient) -> None:
        queue.redis.hset("rsmq::outbox:stats", "lost", 3)
        browser = staff("view_worker", "quiet_worker")
        assert "acknowledge/" not in text_of(browser)
        assert browser.post(PAGE + "acknowledge/", {"name": "3"}).status_code == 403
        assert outbox.stats(queue.session).unseen == 3

    def test_a_user_with_the_right_may(self, staff: Callable[..., Client], queue: QueueClient) -> None:
        queue.redis.hset("rsmq::outbox:stats", "lost", 3)
        assert (
            staff("view_worker", "acknowledge_lost").post(PAGE + "acknowledge/", {"name": "3"}).status_code
            == 302
        )
        assert outbox.stats(queue.session).unseen == 0


#: Role -> status of the page, of the part for open pages, of quieting and of resuming.
ROLES = [
    (None, (302, 302, 302, 302)),
    ((), (403, 403, 403, 403)),
    (("view_queue",), (403, 403, 403, 403)),
    (("quiet_worker",), (403, 403, 403, 403)),
    (("view_worker",), (200, 200, 403, 403)),
    (("view_worker", "quiet_worker"), (200, 200, 302, 302)),
]


@pytest.mark.parametrize(("rights", "expected"), ROLES)
def test_the_rights_for_each_action(
    staff: Callable[..., Client],
    queue: QueueClient,
    rights: tuple[str, ...] | None,
    expected: tuple[int, ...],
) -> None:
    beat(queue, "w1")
    browser = Client() if rights is None else staff(*rights)

    got = (
        browser.get(PAGE).status_code,
        browser.get(LIVE).status_code,
        browser.post(PAGE + "quiet/", {"name": "w1"}).status_code,
        browser.post(PAGE + "resume/", {"name": "w1"}).status_code,
    )

    assert got == expected
    if rights is None:
        assert browser.get(PAGE)["Location"].startswith("/admin/login/")
    if expected[0] == 200:
        assert ("<form method" in text_of(browser).partition('id="content-main"')[2]) == (expected[2] == 302)


@pytest.mark.parametrize("verb", ["add/", "w1/delete/"])
def test_neither_made_nor_deleted_here(boss: Client, queue: QueueClient, verb: str) -> None:
    assert boss.get(PAGE + verb).status_code == 403
    assert boss.post(PAGE + verb, {"post": "yes"}).status_code == 403


def test_a_user_who_sees_no_queues_gets_no_link_to_one(
    staff: Callable[..., Client], queue: QueueClient
) -> None:
    id = queue.send_message("testqueue", "text")
    beat(queue, "w1", children=[running(id)])

    html = text_of(staff("view_worker"))

    assert id in html
    assert "/admin/queueing/queue/" not in html


class TestHostileContent:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_each_value_of_a_record_is_text(self, boss: Client, queue: QueueClient, text: str) -> None:
        run = {"id": text, "queue": text, "started_ms": 1}
        child = {"name": text, "pid": 1, "running": [run]}
        beat(queue, text, host=text, version=text, queues=[text], children=[child])

        html = text_of(boss) + text_of(boss, LIVE)

        assert "<script>alert" not in html
        assert not set("\u202e\0") & set(html)
        assert ">14<" not in html

    @pytest.mark.parametrize("record", [b"", b"x", b"1", b"1 []", b'1 {"children": 5}', b"\xff \xff"])
    def test_a_record_that_cannot_be_read_hides_no_other(
        self, boss: Client, queue: QueueClient, record: bytes
    ) -> None:
        queue.redis.hset("rsmq::workers", b"caf\xe9", record)
        beat(queue, "w1")

        assert 'data-key="w1"' in text_of(boss)


@pytest.mark.usefixtures("redis_away")
class TestRedisAway:
    def test_the_page_shows_it_immediately(self, boss: Client, redis_away: Clock) -> None:
        html = text_of(boss)

        assert redis_away.passed_seconds < 2
        assert "Redis does not answer" in html
        assert "secret" not in html

    def test_the_open_page_learns_it(self, boss: Client) -> None:
        html = text_of(boss, LIVE)

        assert "data-unavailable" in html
        assert 'data-live="rows"' not in html

    def test_a_verb_shows_that_its_effect_is_unknown(self, boss: Client) -> None:
        html = boss.post(PAGE + "quiet/", {"name": "w1"}, follow=True).content.decode()

        assert "Check the state before you repeat this action" in html
        assert not LogEntry.objects.exists()
