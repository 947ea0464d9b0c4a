"""/metrics and /queues.json: answers for scrapers and autoscalers, with a token, for queues of any name."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from queueing import checks, views
from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.models import StagedMessage
from queueing.monitoring.workers import beat
from tests.support.clock import Clock

TOKEN = "tökén of 32 characters"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PATHS = ["/metrics", "/queues.json"]
HOSTILE = 'a"\\\n\r\x00\u202e\x1b[31m{}=,\udcff# HELP x 漢'


@pytest.fixture
def token(settings: Any) -> str:
    settings.QUEUEING = {**settings.QUEUEING, "METRICS_TOKEN": TOKEN}
    return TOKEN


@pytest.fixture
def ask(token: str) -> Callable[[str], HttpResponse]:
    """``ask("/metrics")`` with the token."""
    return lambda path: Client().get(path, headers={"Authorization": f"Bearer {token}"})


def scraped(response: HttpResponse) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample: (name, labels) -> value, as Prometheus' own parser reads it."""
    assert response.status_code == 200
    assert response["Content-Type"] == CONTENT_TYPE
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        assert family.documentation
        assert family.type in ("gauge", "counter", "histogram")
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, "a scraper refuses a series that stands twice"
            found[key] = sample.value
    return found


def of(samples: dict[Any, float], name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def work(client: QueueClient, *events: str, ms: float = 20.0) -> None:
    """Runs of the messages of ``testqueue``, which end so after so long."""
    lease = QueueLease(client.session, Config(), "child", "testqueue")
    [reply] = client.session.call_each([lease.claim(len(events), suspects="take")])
    outcomes = [
        Outcome(
            "testqueue", found.message.id, found.message.rc, State(event), "child",
            started_ms=found.message.sent + 700, finished_ms=found.message.sent + 700 + ms,
            due_ms=found.due_ms, delay_ms=60_000,
        )
        for event, found in zip(events, lease.read_claim(reply).deliveries, strict=True)
    ]  # fmt: skip
    client.session.call_each([lease.settle(outcomes)])


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_set_they_answer_in_development_only(
    queue: QueueClient, settings: Any, path: str
) -> None:
    assert Client().get(path).status_code == 403
    assert "METRICS_TOKEN" in Client().get(path).content.decode()
    settings.DEBUG = True
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "said", [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer x{TOKEN}", "Bearer ", "Bearer \udcff"]
)
def test_another_token_is_refused(
    queue: QueueClient, token: str, settings: Any, path: str, said: str | None
) -> None:
    settings.DEBUG = True
    response = Client().get(path, headers={"Authorization": said} if said is not None else {})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert b"testqueue" not in response.content


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_changed_by_them_and_nothing_is_kept(
    queue: QueueClient, ask: Callable[..., HttpResponse], path: str
) -> None:
    assert "no-store" in ask(path)["Cache-Control"]
    assert Client().post(path).status_code == 405


@pytest.mark.parametrize("path", PATHS)
def test_an_absent_redis_is_reported_immediately_without_its_address(
    redis_away: Clock, ask: Callable[..., HttpResponse], path: str
) -> None:
    response = ask(path)
    assert redis_away.passed_seconds < 2
    assert response.status_code == 503
    assert b"secret" not in response.content


def test_a_scraper_reads_queues_deliveries_and_times(
    queue: QueueClient, ask: Callable[..., HttpResponse]
) -> None:
    queue.send_messages("testqueue", ["x"] * 6)
    work(queue, "done", "done", "retrying", "dead", ms=20)
    found = scraped(ask("/metrics"))
    assert of(found, "queueing_queue_ready", queue="testqueue") == 2
    assert of(found, "queueing_queue_delayed", queue="testqueue") == 1
    assert of(found, "queueing_queue_dead", queue="testqueue") == 1
    assert of(found, "queueing_queue_sent_total", queue="testqueue") == 6
    assert of(found, "queueing_queue_received_total", queue="testqueue") == 4
    assert of(found, "queueing_deliveries_total", queue="testqueue", outcome="done") == 2
    assert of(found, "queueing_deliveries_total", queue="testqueue", outcome="lease lost") == 0
    assert of(found, "queueing_run_seconds_count", queue="testqueue") == 4
    assert of(found, "queueing_run_seconds_sum", queue="testqueue") == pytest.approx(0.08)
    assert of(found, "queueing_run_seconds_bucket", queue="testqueue", le="0.01") == 0
    assert of(found, "queueing_run_seconds_bucket", queue="testqueue", le="0.025") == 4
    assert of(found, "queueing_run_seconds_bucket", queue="testqueue", le="+Inf") == 4
    assert of(found, "queueing_wait_seconds_bucket", queue="testqueue", le="0.5") == 0
    assert of(found, "queueing_wait_seconds_bucket", queue="testqueue", le="1.0") == 4


def test_a_scraper_reads_workers_and_the_outbox(queue: QueueClient, ask: Callable[..., HttpResponse]) -> None:
    beat(queue.session, "w", '{"processes": 2, "threads": 4, "memory_bytes": 1000}', "t")
    queue.send_message("testqueue", "x")
    work(queue, "done")
    found = scraped(ask("/metrics"))
    assert of(found, "queueing_workers", state="idle") == 1
    assert of(found, "queueing_workers", state="stale") == 0
    assert of(found, "queueing_workers_capacity") == 8
    assert of(found, "queueing_workers_memory_bytes") == 1000
    assert of(found, "queueing_outbox_bytes") > 0
    assert of(found, "queueing_outbox_lost_total") == 0


def test_names_that_other_programs_gave_break_no_scrape(
    queue: QueueClient, ask: Callable[..., HttpResponse]
) -> None:
    name = HOSTILE.encode("utf-8", "surrogateescape")
    lookalike = HOSTILE.replace("\udcff", "\\udcff").encode()
    for each in (name, lookalike):
        queue.redis.sadd("rsmq:QUEUES", each)
        queue.redis.hset(b"rsmq:%s:Q" % each, mapping={"vt": 1, "delay": 0, "maxsize": 1, "totalsent": 7})
    found = scraped(ask("/metrics"))
    shown = 'a"\\\\n\\r\\x00\\u202e\\x1b[31m{}=,\\udcff# HELP x 漢'
    assert of(found, "queueing_queue_sent_total", queue=shown) == 7
    assert HOSTILE in ask("/queues.json").json()["queues"]


def test_an_autoscaler_reads_each_queue_and_all_of_them(
    queue: QueueClient, ask: Callable[..., HttpResponse]
) -> None:
    queue.create_queue("mail")
    queue.create_queue("mail-dead")
    queue.send_messages("testqueue", ["x"] * 3)
    queue.send_messages("mail", ["x"] * 4)
    queue.send_message("mail-dead", "x")
    read = ask("/queues.json").json()
    assert set(read) == {"queues", "all", "truncated", "spoilt"}
    assert set(read["queues"]) == {"mail", "mail-dead", "testqueue"}
    assert read["queues"]["mail"] | {"latency_seconds": 0} == {
        **{"ready": 4, "delayed": 0, "running": 0, "dead": 1, "latency_seconds": 0, "paused": False},
        **dict.fromkeys(("in_per_second", "out_per_second", "failure_ratio", "drain_seconds")),
    }
    assert read["all"]["ready"] == 7
    assert 0 <= read["all"]["latency_seconds"] < 60
    assert set(ask("/queues.json?queue=mail&queue=none").json()["queues"]) == {"mail"}


def test_the_number_of_left_out_queues_is_shown(
    queue: QueueClient, ask: Callable[..., HttpResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_QUEUES", 2)
    queue.create_queue("mail")
    assert ask("/queues.json").json()["truncated"] is False
    assert of(scraped(ask("/metrics")), "queueing_queues_truncated") == 0

    queue.create_queue("news")

    read = ask("/queues.json").json()
    assert (len(read["queues"]), read["truncated"]) == (2, True)
    found = scraped(ask("/metrics"))
    assert of(found, "queueing_queues_truncated") == 1
    assert sum(name == "queueing_queue_ready" for name, labels in found) == 2
    assert ask("/queues.json?queue=mail&queue=news").json()["truncated"] is False
    named = ask("/queues.json?queue=mail&queue=news&queue=testqueue").json()
    assert (set(named["queues"]), named["truncated"]) == ({"mail", "news"}, True)


def test_no_queue_at_all_is_an_answer(fake_client: QueueClient, ask: Callable[..., HttpResponse]) -> None:
    from queueing.client.default import use_client

    use_client(fake_client)
    assert ask("/queues.json").json()["queues"] == {}
    assert scraped(ask("/metrics"))
    use_client(None)


def test_numbers_are_exact(queue: QueueClient, ask: Callable[..., HttpResponse]) -> None:
    queue.redis.hset("rsmq:testqueue:Q", "totalsent", 2**53 - 1)
    assert of(scraped(ask("/metrics")), "queueing_queue_sent_total", queue="testqueue") == 2**53 - 1


def test_without_the_library_metrics_and_a_check_name_the_package_to_install(
    queue: QueueClient, ask: Callable[..., HttpResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.check_prometheus() == []
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    response = ask("/metrics")
    assert response.status_code == 501
    assert b"pip install" in response.content
    assert ask("/queues.json").status_code == 200
    assert [one.id for one in checks.check_prometheus()] == ["queueing.I001"]


class TestStaged:
    @pytest.mark.django_db
    def test_the_metrics_have_the_waiting_and_the_refused_messages_of_transactions(
        self, ask: Callable[[str], HttpResponse], queue: QueueClient, settings: Any
    ) -> None:
        settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
        at = timezone.now() - timedelta(minutes=1)
        for number in range(3):
            StagedMessage.objects.create(
                queue="testqueue", message_id=str(number), sender="s", number=number, body=b"",
                is_refused=number == 2, staged_at=at,
            )  # fmt: skip

        samples = scraped(ask("/metrics"))

        assert of(samples, "queueing_staged_messages", database="default", state="waiting") == 2
        assert of(samples, "queueing_staged_messages", database="default", state="refused") == 1
        assert 60 <= of(samples, "queueing_staged_oldest_seconds", database="default") < 90

    def test_a_database_that_does_not_answer_is_left_out(
        self, ask: Callable[[str], HttpResponse], queue: QueueClient, settings: Any, monkeypatch: Any
    ) -> None:
        def away(alias: str) -> None:
            raise OperationalError(alias)

        settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
        monkeypatch.setattr("queueing.transactional.backlog.figures", away)

        assert "queueing_staged" not in ask("/metrics").content.decode()

    def test_without_the_option_the_database_is_not_asked(
        self, ask: Callable[[str], HttpResponse], queue: QueueClient
    ) -> None:
        assert "queueing_staged" not in ask("/metrics").content.decode()
