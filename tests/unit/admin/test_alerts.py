"""The alerts and the pages that show them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from pytest_django import Settings

from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueFull
from queueing.history import ownership
from queueing.monitoring import alerts
from queueing.monitoring.workers import beat

from .jobs import job

LIST = "/admin/queueing/queue/"
OLD_ID = "gd0j8n4h3u" + "x" * 22


@pytest.fixture
def queue(shared_client: QueueClient) -> QueueClient:
    shared_client.create_queue("work")
    shared_client.redis.config_set("maxmemory-policy", "noeviction")
    return shared_client


@pytest.fixture
def waiting(queue: QueueClient) -> QueueClient:
    """``work`` has had a ready message for years."""
    put_old(queue, "work")
    return queue


def put_old(client: QueueClient, name: str) -> None:
    client.redis.hset(f"rsmq:{name}:Q", OLD_ID, "old")
    client.redis.zadd(f"rsmq:{name}", {OLD_ID: 0})


def found(client: QueueClient) -> list[alerts.Alert]:
    return alerts.read(client, client.queue_figures())


def kinds(client: QueueClient) -> list[tuple[str, str]]:
    return [(alert.kind, alert.queue) for alert in found(client)]


def age_worker(client: QueueClient, name: str, seconds: float) -> None:
    beat_ms, record = client.redis.hget("rsmq::workers", name).split(b" ", 1)
    aged = b"%d %s" % (int(beat_ms) - int(seconds * 1000), record)
    client.redis.hset("rsmq::workers", name, aged)


def test_without_a_problem_there_is_no_alert(queue: QueueClient):
    queue.send_message("work", "x")
    beat(queue.session, "w", json.dumps({"queues": ["work"]}), "t")
    assert found(queue) == []


class TestUnattended:
    def test_a_queue_that_nobody_takes(self, waiting: QueueClient):
        [alert] = found(waiting)
        assert (alert.kind, alert.queue) == ("unattended", "work")
        assert alert.text.startswith("No worker takes work: 1 message is ready, and has been for ")

    def test_not_where_a_worker_takes_it(self, waiting: QueueClient):
        beat(waiting.session, "w", json.dumps({"queues": ["other", "work"]}), "t")
        assert found(waiting) == []

    def test_but_a_dead_worker_takes_nothing(self, waiting: QueueClient):
        beat(waiting.session, "w", json.dumps({"queues": ["work"]}), "t")
        age_worker(waiting, "w", 120)
        assert kinds(waiting) == [("silent worker", ""), ("unattended", "work")]
        assert "The worker w has sent no heartbeat for 2\xa0min" in found(waiting)[0].text

    @pytest.mark.parametrize("record", ["no JSON", "[]", '{"queues": "work"}', '{"queues": [1]}', "{}"])
    def test_a_record_that_cannot_be_read_takes_nothing(self, waiting: QueueClient, record: str):
        beat(waiting.session, "w", record, "t")
        assert kinds(waiting) == [("unattended", "work")]

    @pytest.mark.parametrize(
        "settle",
        [
            lambda client: client.pause_queue("work"),
            lambda client: client.change_message_visibility("work", OLD_ID, 60),
            lambda client: (client.delete_message("work", OLD_ID), client.send_message("work", "new")),
        ],
        ids=["paused", "hidden", "new"],
    )
    def test_not_where_nobody_has_to_take_it(
        self, waiting: QueueClient, settle: Callable[[QueueClient], Any]
    ):
        settle(waiting)
        assert found(waiting) == []

    def test_dead_letters_wait_for_people(self, queue: QueueClient):
        for name in ("work-dead", "morgue"):
            queue.create_queue(name)
            put_old(queue, name)
        assert kinds(queue) == [("unattended", "morgue")]
        queue.set_redrive_policy("work", 3, "morgue")
        assert found(queue) == []


def test_a_worker_that_has_been_dead_for_long_is_not_reported(queue: QueueClient):
    beat(queue.session, "w", "{}", "t")
    age_worker(queue, "w", 2 * 3600)
    queue.redis.delete(queue.keys.sampled())  # as if a minute had passed: the dead are looked for then
    beat(queue.session, "alive", "{}", "t")
    assert found(queue) == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("allkeys-lru", "deletes whole queues"),
        ("volatile-ttl", "a send that is repeated may store its messa"),
    ],
)
def test_a_redis_that_evicts(queue: QueueClient, policy: str, said: str):
    queue.redis.config_set("maxmemory-policy", policy)
    [alert] = found(queue)
    assert alert.kind == "eviction"
    assert f"maxmemory-policy is {policy}: a full Redis" in alert.text
    assert said in alert.text
    queue.redis.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def full(queue: QueueClient) -> Iterator[QueueClient]:
    """A Redis over its maxmemory. It refuses sends."""
    queue.send_message("work", "x")
    queue.redis.config_set("maxmemory", 1)
    with pytest.raises(QueueFull):
        queue.send_message("work", "x")
    yield queue
    queue.redis.config_set("maxmemory", 0)


class TestFull:
    def test_a_redis_that_is_full(self, full: QueueClient, boss: Client):
        [alert] = found(full)
        assert alert.kind == "full"
        assert alert.text.startswith("Redis is full and refuses new messages")
        shown = boss.get(LIST).content.decode()
        assert escape(alert.text) in shown
        assert ">work<" in shown, "the queues are shown"

    def test_the_alert_ends_when_messages_fit_again(self, full: QueueClient):
        full.redis.config_set("maxmemory", 0)
        assert found(full) == []

    def test_it_is_known_without_info(self, full: QueueClient):
        full.redis.execute_command("ACL", "SETUSER", "app", "reset", "on", ">x", "~*", "&*", "+@all", "-info")
        options = full.redis.connection_pool.connection_kwargs
        own = connect(Config(URL=f"redis://app:x@{options['host']}:{options['port']}/{options.get('db', 0)}"))
        assert own.session.eviction_policy() is None
        assert [alert.kind for alert in alerts.read(own, [])] == ["full"]
        own.redis.close()
        full.redis.execute_command("ACL", "DELUSER", "app")

    def test_nothing_is_written(self, queue: QueueClient):
        before = set(queue.redis.scan_iter())
        found(queue)
        assert set(queue.redis.scan_iter()) == before


def test_a_redis_that_does_not_report_its_policy(fake_client: QueueClient):
    assert alerts.read(fake_client, []) == []


class TestOutbox:
    @pytest.mark.parametrize(("size_bytes", "is_full"), [(799, False), (800, True), (5000, True)])
    def test_one_that_is_nearly_full(
        self, queue: QueueClient, settings: Settings, size_bytes: int, is_full: bool
    ):
        settings.QUEUEING = {"OUTBOX_MAX": 1000}
        queue.redis.hset("rsmq::outbox:stats", "bytes", size_bytes)
        assert kinds(queue) == ([("outbox full", "")] if is_full else [])

    def test_lost_outcomes_are_reported(self, queue: QueueClient):
        queue.redis.hset("rsmq::outbox:stats", "lost", 12)
        [alert] = found(queue)
        assert alert.kind == "outcomes lost"
        assert alert.text.startswith("12 outcomes are missing in the history")

    def test_it_stays_until_somebody_has_acknowledged_it(self, queue: QueueClient):
        queue.redis.hset("rsmq::outbox:stats", "lost", 12)
        outbox.acknowledge(queue.session, 12)
        assert found(queue) == []


def test_list_and_page_show_them(boss: Client, waiting: QueueClient):
    waiting.create_queue("other")
    waiting.redis.hset("rsmq::outbox:stats", "lost", 1)
    general, particular = (escape(alert.text.partition(" for ")[0]) for alert in found(waiting))
    pages = {path: boss.get(LIST + path).content.decode() for path in ("", "work/change/", "other/change/")}
    assert all(general in html for html in pages.values())
    assert [particular in html for html in pages.values()] == [True, True, False]


def test_names_in_them_are_text(boss: Client, queue: QueueClient):
    name = "<script>alert(1)</script>\u202e"
    queue.redis.sadd("rsmq:QUEUES", name)
    queue.redis.hset(f"rsmq:{name}:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})
    put_old(queue, name)
    beat(queue.session, name, "{}", "t")
    age_worker(queue, name, 60)
    html = boss.get(LIST).content.decode()
    assert html.count("No worker takes &lt;script&gt;alert(1)&lt;/script&gt;\\u202e") == 1
    assert html.count("The worker &lt;script&gt;alert(1)&lt;/script&gt;\\u202e") == 1
    assert "<script>alert" not in html


#: Pages that are not about certain queues, and what is asked for while they are open.
ELSEWHERE = (
    *("worker/", "worker/live/", "schedule/", "schedule/live/", "job/", "job/failures/", "job/{job}/change/"),
    *("queue/charts/", "queue/charts/?part=live", "queue/other/charts/"),
)


def console(path: str) -> str:
    return "/admin/queueing/" + path.replace("{job}", str(job().pk) if "{job}" in path else "")


@pytest.mark.parametrize("path", ELSEWHERE)
def test_so_do_all_the_others(boss: Client, waiting: QueueClient, path: str):
    waiting.create_queue("other")
    waiting.redis.hset("rsmq::outbox:stats", "lost", 1)
    html = boss.get(console(path)).content.decode()
    assert html.count("1 outcome is missing in the history: it did not fit") == 1
    assert html.count("No worker takes work: 1 message is ready") == 1
    assert 'data-live="alerts"' in html


@pytest.mark.parametrize(
    ("path", "right"), [("worker/", "view_worker"), ("schedule/", "view_schedule"), ("job/", "view_job")]
)
def test_a_user_who_may_not_see_queues_gets_no_alert_about_them(
    staff: Callable[..., Client], waiting: QueueClient, path: str, right: str
):
    waiting.redis.hset("rsmq::outbox:stats", "lost", 1)
    html = staff(right).get(console(path)).content.decode()
    assert "1 outcome is missing in the history" in html
    assert "No worker takes" not in html


def test_a_few_of_many_queues_are_named_and_the_others_counted(boss: Client, queue: QueueClient):
    for number in range(alerts.TOLD + 2):
        queue.create_queue(f"q{number}")
        put_old(queue, f"q{number}")
    html = boss.get(console("worker/")).content.decode()
    assert html.count("No worker takes q") == alerts.TOLD
    assert "There are 2 more queues that no worker takes." in html


def test_an_action_shows_immediately(boss: Client, queue: QueueClient):
    queue.redis.hset("rsmq::outbox:stats", "lost", 3)
    alert = "3 outcomes are missing in the history: they did not fit"
    assert alert in boss.get(console("worker/")).content.decode()
    done = boss.post(console("worker/acknowledge/"), {"name": "3"}, follow=True).content.decode()
    assert alert not in done


@pytest.mark.usefixtures("redis_away")
@pytest.mark.parametrize("path", [path for path in ELSEWHERE if "job" in path])
def test_pages_of_the_database_do_without_redis(boss: Client, path: str):
    assert boss.get(console(path)).status_code == 200


@pytest.mark.django_db
def test_an_outcome_that_waits_for_a_minute_is_warned_of(queue: QueueClient) -> None:
    queue.redis.xadd("rsmq::outbox", {"count": 1, "bytes": 3, "ms": 1}, id="1-1")
    assert ("outbox late", "") in kinds(queue)
    queue.redis.delete("rsmq::outbox")
    queue.redis.xadd("rsmq::outbox", {"count": 1, "bytes": 3, "ms": 1})
    assert kinds(queue) == []


@pytest.mark.django_db
def test_an_outbox_of_another_project_is_warned_of(queue: QueueClient) -> None:
    queue.redis.set("rsmq::owner", "of another project")
    assert ("outbox owned", "") in kinds(queue)
    ownership.take(queue)
    assert kinds(queue) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", ["queue", "worker", "schedule", "batch", "job"])
def test_a_page_that_is_read_waits_for_no_writer_of_the_database(
    queue: QueueClient, boss: Client, model: str
) -> None:
    ownership.take(queue)
    alerts.forget()
    with CaptureQueriesContext(connection) as queries:
        assert boss.get(console(f"{model}/")).status_code == 200
    # On SQLite, a transaction of the site takes the lock of writers when it begins.
    begun = {query["sql"].split()[0] for query in queries}
    assert begun <= {"SELECT", "WITH"}


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["queue", "worker", "job"])
def test_a_warning_is_in_the_language_of_each_viewer(
    full: QueueClient, boss: Client, model: str, settings: Settings
) -> None:
    alerts.forget()
    for language, said in (("en", "Redis is full"), ("de", "Redis ist voll"), ("en", "Redis is full")):
        shown = boss.get(console(f"{model}/"), headers={"accept-language": language}).content.decode()
        assert said in shown
