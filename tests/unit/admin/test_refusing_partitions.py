"""A partition that refuses is named with its reason, and so is one that is away wherever one is asked for."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import queueing
from queueing.broker import scripts
from queueing.broker.scripts import Call
from queueing.broker.session import Session
from queueing.client.default import use_client
from queueing.client.partitioned import READING
from queueing.exceptions import (
    NewerFormat,
    NotReplicated,
    QueueRefused,
    QueueUnavailable,
)
from queueing.models import Job
from queueing.monitoring import alerts
from queueing.resilience.single_flight import SingleFlight
from tests.support.redis_server import RedisServer

from .partitions import SAID, page, scrape

# --- a partition that answers and refuses ---------------------------------------------------------------

#: The rules of a user who may not do everything, and the reason that is shown.
REFUSALS = {
    "no scripts": ("+@all -eval -evalsha ~*", "(NOPERM): give its user the permissions in docs/redis.md"),
    "other keys": ("+@all ~other*", "(NOPERM): give its user the permissions in docs/redis.md"),
    "no reading": (
        "+@all -hgetall -zcount ~*",
        "Redis refuses HGETALL, ZCOUNT: give its user the permissions",
    ),
    "off": ("off +@all ~*", "(WRONGPASS): the user name or the password is wrong"),
}


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS)
def reason(request: pytest.FixtureRequest, servers: dict[str, RedisServer], settings: Any) -> str:
    """The partition "eu" refuses for this reason."""
    rules, said = request.param
    with servers["eu"].connect() as admin:
        admin.execute_command("ACL", "SETUSER", "app", "on", ">s3cret", "resetkeys", "&*", *rules.split())
    login = f"redis://app:s3cret@127.0.0.1:{servers['eu'].port}/0"
    settings.QUEUEING = {**settings.QUEUEING, "PARTITIONS": {"eu": {"URL": login}}}
    use_client(None)
    alerts.forget()
    return said


@pytest.mark.parametrize(
    ("model", "of_default"),
    [("queue", ">orders<"), ("worker", "worker-of-orders"), ("schedule", "tick-of-o")],
)
def test_a_page_shows_the_others_and_why_a_partition_refuses(
    reason: str, boss: Client, model: str, of_default: str
):
    shown = page(boss, model)
    assert of_default in shown
    assert "The partition eu is not shown: Redis refuses" in shown
    assert reason in shown
    assert SAID not in shown


@pytest.mark.django_db
def test_terminal_probe_and_log_have_the_reason_of_a_partition_that_refuses(
    reason: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    call_command("queues", "list")
    said = capfd.readouterr()
    assert "orders" in said.out
    told = " ".join(said.err.split())
    assert "The partition eu cannot be used: Redis refuses" in told
    assert reason in told
    assert any("the partition eu is left out" in one and reason in one for one in caplog.messages)
    caplog.clear()
    queueing.get_client().reachable()
    assert not caplog.messages, "it is logged once"


@pytest.mark.django_db
@pytest.mark.parametrize("reason", [REFUSALS["off"]], indirect=True)
def test_readiness_has_the_code_of_a_refusal(reason: str, caplog: pytest.LogCaptureFixture):
    answer = Client().get("/readyz")
    assert answer.json()["partitions"] == {"default": "ok", "eu": "refuses (WRONGPASS)"}
    assert any("WRONGPASS" in one and "eu" in one for one in caplog.messages)


@pytest.mark.django_db
@pytest.mark.parametrize("reason", [REFUSALS["other keys"]], indirect=True)
def test_a_partition_without_permission_for_its_keys_stops_no_scrape(reason: str):
    assert json.loads(scrape("/queues.json"))["partitions_away"] == ["eu"]
    assert 'queueing_partition_up{partition="eu"} 0' in scrape("/metrics")
    assert Client().get("/readyz").json()["partitions"]["eu"] == "refuses (NOPERM)"


@pytest.mark.parametrize("reason", [REFUSALS["off"]], indirect=True)
def test_a_call_to_a_partition_that_is_left_out_has_its_reason(reason: str):
    with pytest.raises(QueueRefused, match="The partition eu cannot be used: Redis refuses .WRONGPASS"):
        queueing.get_client().reachable().get_queue_attributes("mail")


def test_a_partition_that_is_a_replica_is_shown_with_a_warning(servers: dict[str, RedisServer], boss: Client):
    with servers["eu"].connect() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    shown = page(boss, "queue")
    assert ">mail<" in shown
    assert ">orders<" in shown
    assert "Partition eu: Redis refuses (READONLY): it is a replica" in shown
    assert "Partition default" not in shown


def test_a_partition_that_is_full_or_evicts_is_named(servers: dict[str, RedisServer], boss: Client):
    with servers["eu"].connect() as admin:
        admin.config_set("maxmemory-policy", "allkeys-lru")
        admin.config_set("maxmemory", 1)
        assert "Partition eu: Redis&#x27; maxmemory-policy is allkeys-lru" in page(boss, "queue")
        admin.config_set("maxmemory-policy", "noeviction")
        alerts.forget()
        shown = page(boss, "worker")
    assert "Partition eu: Redis is full and refuses new messages" in shown
    assert "Partition default" not in shown


def test_a_partition_is_left_out_without_a_command_that_the_lists_read_with_and_no_other(
    servers: dict[str, RedisServer], boss: Client, monkeypatch: pytest.MonkeyPatch
):
    called: set[str] = set()
    exchange = Session._exchange

    def listening(session: Session, calls: Sequence[Call], *args: Any) -> list[Any]:
        called.update(call.script for call in calls)
        return exchange(session, calls, *args)

    monkeypatch.setattr(Session, "_exchange", listening)
    # A warning that cannot be read is replaced by another one.
    monkeypatch.setattr(alerts, "read", lambda *_: [])
    # This check asks for the permissions themselves.
    monkeypatch.setattr(Session, "refused_commands", lambda _: [])
    for model in ("queue", "worker", "schedule", "batch"):
        assert page(boss, model)
    with servers["default"].connect() as admin:
        known = admin.command()
    sources = [scripts.load(name).source.decode() for name in called]
    commands = {name for source in sources for name in scripts.COMMAND.findall(source)}
    assert {name for name in commands if "write" not in known[name.lower()]["flags"]} == READING


# --- an error names its partition -----------------------------------------------------------------------


@pytest.mark.parametrize("place", ["change/", "messages/", "charts/", "pause/", "charts/?part=live"])
def test_a_page_of_a_queue_names_its_partition_that_is_away(
    servers: dict[str, RedisServer], boss: Client, place: str
):
    servers["eu"].kill()
    shown = boss.get(f"/admin/queueing/queue/mail/{place}").content.decode()
    assert "The partition eu does not answer." in shown.replace("</bdi>", "")
    assert "Redis does not answer, so this page" not in shown
    assert "Nothing was measured" not in shown


def test_an_open_page_of_a_queue_keeps_its_figures_while_its_partition_is_away(
    servers: dict[str, RedisServer], boss: Client
):
    servers["eu"].kill()
    live = boss.get("/admin/queueing/queue/live/?name=mail").content.decode()
    assert 'data-live="away"' in live
    assert "The partition eu does not answer." in live
    assert "These are the last known figures." in live


def test_a_page_of_a_job_names_its_partition_that_is_away(servers: dict[str, RedisServer], boss: Client):
    job = Job.objects.create(
        message_id="m" * 32, queue="mail", state="done", rc=1, finished_at=timezone.now()
    )
    servers["eu"].kill()
    shown = boss.get(reverse("admin:queueing_job_change", args=[job.pk])).content.decode()
    assert "The partition eu does not answer." in shown


@pytest.mark.django_db
def test_the_terminal_names_the_partition_and_the_setting_of_its_address(servers: dict[str, RedisServer]):
    servers["eu"].kill()
    use_client(None)  # a send over the old connection might have run
    with pytest.raises(CommandError) as caught:
        call_command("queues", "pause", "mail")
    assert str(caught.value).startswith("Partition eu: Redis does not answer (ConnectionError")
    assert 'QUEUEING["PARTITIONS"]["eu"] is its address' in str(caught.value)
    servers["default"].kill()
    with pytest.raises(CommandError, match=r'Partition default.*QUEUEING\["URL"\] is its address'):
        call_command("queues", "pause", "orders")


def test_a_call_names_its_partition_in_threads_and_loops(servers: dict[str, RedisServer]):
    servers["eu"].kill()
    with pytest.raises(QueueUnavailable, match="^Partition eu: Redis does not answer"):
        queueing.send_message("mail", "text")
    with pytest.raises(QueueUnavailable, match="^Partition eu: Redis does not answer") as caught:
        asyncio.run(queueing.asend_message("mail", "text"))
    assert caught.value.partition == "eu"


@pytest.mark.parametrize("error", [NewerFormat("rsmq", 3, 2), NotReplicated(0, 1), QueueUnavailable("no")])
def test_an_error_that_threads_share_keeps_its_class_and_its_partition(error: QueueUnavailable):
    error.partition = "eu"

    def read(key: str) -> str:
        raise error

    with pytest.raises(type(error)) as caught:
        SingleFlight(read).get("key")
    assert (caught.value.partition, str(caught.value)) == ("eu", str(error))
    assert caught.value is not error
