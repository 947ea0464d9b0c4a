"""Console, terminal and scrapes show several partitions as one system, and name one that is away."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

import queueing
from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import get_conf
from queueing.exceptions import (
    QueueUnavailable,
    ScheduleNotFound,
)
from queueing.monitoring import alerts, outboxes
from queueing.monitoring.workers import all_workers
from queueing.scheduling import store
from queueing.worker import preflight
from tests.support.redis_server import RedisServer

from .partitions import SAID, page, part_of, scrape


@pytest.mark.parametrize(
    ("model", "of_default", "of_eu"),
    [
        ("queue", ">orders<", ">mail<"),
        ("worker", "worker-of-orders", "worker-of-mail"),
        ("schedule", "tick-of-orders", "tick-of-mail"),
    ],
)
def test_a_page_shows_all_partitions_and_the_others_while_one_is_away(
    servers: dict[str, RedisServer], boss: Client, settings: Any, model: str, of_default: str, of_eu: str
):
    shown = page(boss, model)
    assert of_default in shown
    assert of_eu in shown
    assert SAID not in shown
    servers["eu"].kill()
    alerts.forget()
    shown = page(boss, model)
    assert of_default in shown
    assert of_eu not in shown
    assert SAID in shown


def test_the_page_of_a_queue_works_while_another_partition_is_away(
    servers: dict[str, RedisServer], boss: Client
):
    servers["eu"].kill()
    shown = boss.get(reverse("admin:queueing_queue_change", args=["orders"]))
    assert shown.status_code == 200
    assert SAID in shown.content.decode()


def test_the_other_partitions_are_shown_while_the_default_one_is_away(servers: dict[str, RedisServer]):
    servers["default"].kill()
    client = queueing.get_client().reachable()
    assert client.away == ("default",)
    assert [queue.name for queue in client.queue_figures()] == ["mail"]
    with pytest.raises(QueueUnavailable, match="The partition default does not answer"):
        client.send_message("orders", "text")
    with pytest.raises(QueueUnavailable):
        client.count_hit("name", 60)


def test_a_partition_that_is_back_is_shown_again(servers: dict[str, RedisServer], monkeypatch):
    monkeypatch.setattr("queueing.client.partitioned.BELIEVED_SECONDS", 0.0)
    servers["eu"].kill()
    client = queueing.get_client()
    assert client.reachable().away == ("eu",)
    servers["eu"].start()
    assert client.reachable() is client


def test_the_scrapes_have_all_queues_and_name_the_partition_that_is_away(servers: dict[str, RedisServer]):
    found = json.loads(scrape("/queues.json"))
    assert set(found["queues"]) == {"orders", "mail"}
    assert found["partitions_away"] == []
    assert 'queueing_partition_up{partition="eu"} 1' in scrape("/metrics")
    assert 'queueing_workers{state="idle"} 2' in scrape("/metrics")
    servers["eu"].kill()
    found = json.loads(scrape("/queues.json"))
    assert set(found["queues"]) == {"orders"}
    assert found["partitions_away"] == ["eu"]
    assert json.loads(scrape("/queues.json?queue=mail&queue=orders"))["queues"].keys() == {"orders"}
    said = scrape("/metrics")
    assert 'queueing_partition_up{partition="eu"} 0' in said
    assert 'queueing_queue_ready{queue="orders"} 1' in said
    assert 'queue="mail"' not in said


@pytest.mark.django_db
def test_readiness_names_a_partition_that_is_away(servers: dict[str, RedisServer]):
    answer = Client().get("/readyz")
    assert answer.json()["partitions"] == {"default": "ok", "eu": "ok"}
    servers["eu"].kill()
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["partitions"] == {"default": "ok", "eu": "does not answer"}
    servers["default"].kill()
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["redis"] == "does not answer"


@pytest.mark.parametrize(("verb", "of_default"), [("list", "orders"), ("workers", "worker-of-orders")])
@pytest.mark.django_db
def test_the_terminal_lists_the_others_while_one_is_away(
    servers: dict[str, RedisServer], capsys: pytest.CaptureFixture[str], verb: str, of_default: str
):
    servers["eu"].kill()
    call_command("queues", verb)
    said = capsys.readouterr()
    assert of_default in said.out
    assert "mail" not in said.out
    assert said.err.count(SAID) == 1


@pytest.mark.django_db
def test_the_terminal_sweeps_all_partitions(servers: dict[str, RedisServer], capsys):
    call_command("queues", "sweep")
    assert "Swept 2 queues" in capsys.readouterr().out


def test_workers_and_schedules_are_steered_on_their_partition(servers: dict[str, RedisServer]):
    client = queueing.get_client()
    call_command("queues", "quiet-worker", "worker-of-mail")
    # By name: a worker of another test may try the port of its ended Redis, which this server has now.
    wanted = {worker.key: worker.is_quiet_wanted for worker in all_workers(client)}
    assert (wanted["worker-of-mail"], wanted["worker-of-orders"]) == (True, False)
    store.on_schedule(store.pause_schedule, client, "tick-of-mail")
    assert [state.paused for state in store.all_schedules(client)] == [True, False]
    with pytest.raises(ScheduleNotFound):
        store.on_schedule(store.pause_schedule, client, "no-such-schedule")


def test_a_schedule_that_has_moved_is_paused_where_it_ticks(servers: dict[str, RedisServer]):
    client = queueing.get_client()
    [timing] = [state.timing for state in store.all_schedules(client) if state.timing.queue == "mail"]
    store.name_schedules(part_of("orders").session, [timing])
    store.on_schedule(store.pause_schedule, client, timing.name)
    assert [
        state.paused
        for part in client.parts
        for state in store.schedules(part.session)
        if state.timing.name == timing.name
    ] == [True, True]


def test_the_outboxes_are_added_up(servers: dict[str, RedisServer]):
    for queue, lost in (("orders", 2), ("mail", 3)):
        part = part_of(queue)
        part.redis.hset(part.keys.outbox_stats(), "lost", lost)
    client = queueing.get_client()
    assert outboxes.stats(client).unseen == 5
    assert outboxes.acknowledge(client, 5) == 5
    assert outbox.stats(part_of("mail").session).unseen == 0


def test_a_client_of_a_worker_uses_its_own_connection_for_its_partition(servers: dict[str, RedisServer]):
    from queueing.client.default import connect_all

    own = connect(get_conf().at("eu"), connections=1)
    client = connect_all(get_conf(), own)
    assert client.at(["mail"]) is own
    assert client.send_message("orders", "text")


def test_messages_on_another_partition_than_the_place_of_their_queue_are_reported_until_they_are_moved(
    servers: dict[str, RedisServer], boss: Client, capfd: pytest.CaptureFixture[str]
):
    with servers["default"].connect() as connection:
        old = QueueClient(connection)
        for queue, count in {"mail": 2, "mail-dead": 1}.items():
            old.create_queue(queue)
            old.send_messages(queue, ["text"] * count)
    said = "3 messages of mail are on the partition default, but PLACES puts the queue on eu."
    assert said in page(boss, "queue")
    call_command("queues", "list")
    assert f"{said} Move them with manage.py queues relocate mail." in " ".join(
        capfd.readouterr().err.split()
    )
    call_command("queues", "relocate", "mail")
    assert said not in page(boss, "queue")


def test_a_worker_warns_of_messages_of_its_queues_on_another_partition(
    servers: dict[str, RedisServer], caplog: pytest.LogCaptureFixture
):
    with servers["default"].connect() as connection:
        QueueClient(connection).create_queue("mail")
        QueueClient(connection).send_message("mail", "text")
    config = get_conf().at("eu")
    preflight._warn_of_remainders(replace(config, queues=("orders",)), connect(config))
    assert not caplog.messages
    preflight._warn_of_remainders(replace(config, queues=("mail",)), connect(config))
    [message] = caplog.messages
    assert "mail: messages on the partition default: 1" in message
    assert "queues relocate mail" in message
