"""Several partitions behind one client: each queue is on one, and calls for all queues ask each of them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from django.core.checks import run_checks

import queueing
from queueing.broker.places import place_of
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.composition import batch, chain, step
from queueing.conf import get_conf
from queueing.exceptions import InvalidFormat, MissingParameter, QueueError, QueueUnavailable
from queueing.monitoring.rates import read_rates
from queueing.worker.fleet import by_partition
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS

PLACES = {"mail": "eu", "mail-*": "eu", "mail-bulk*": "us", "audit": "us"}


@dataclass
class System:
    """A client of three partitions, two of which share a Redis, and a plain client of each."""

    client: QueueClient
    plain: dict[str, QueueClient]
    servers: dict[str, RedisServer]


@pytest.fixture
def system(own_redis: Callable[..., RedisServer], settings) -> Iterator[System]:
    default, eu = own_redis(), own_redis()
    settings.QUEUEING = {
        "URL": default.url,
        "TIMEOUT": HANG_SECONDS,
        "QUEUES": ["orders", "mail", "audit"],
        "PARTITIONS": {"eu": {"URL": eu.url}, "us": {"NAMESPACE": "rsmq-us"}},
        "PLACES": PLACES,
    }
    use_client(None)
    plain = {
        "default": QueueClient(default.connect()),
        "eu": QueueClient(eu.connect()),
        "us": QueueClient(default.connect(), ns="rsmq-us"),
    }
    yield System(queueing.get_client(), plain, {"default": default, "eu": eu})
    use_client(None)


@pytest.mark.parametrize(
    ("queue", "place"),
    [
        ("orders", "default"),
        ("mail", "eu"),
        ("mail-dead", "eu"),
        ("mail-low", "eu"),
        ("mail-low-dead", "eu"),
        ("mail-new", "eu"),
        ("mailing", "default"),
        ("mail-bulk", "us"),
        ("mail-bulk-9-dead", "us"),
        ("", "default"),
    ],
)
def test_the_name_comes_before_the_longest_pattern_and_a_queue_keeps_its_siblings(queue: str, place: str):
    assert place_of(PLACES, queue) == place


def test_without_partitions_the_client_is_a_plain_one(shared_client: QueueClient):
    assert type(queueing.get_client()) is QueueClient
    assert shared_client.parts == (shared_client,)
    assert shared_client.at(["a", "b"]) is shared_client
    assert shared_client.split(["a", "b"]) == [(shared_client, ["a", "b"])]


@pytest.mark.parametrize(
    ("wrong", "id", "said"),
    [
        ({"PARTITIONS": {"EU": {"NAMESPACE": "x"}}}, "E017", "small letters"),
        ({"PARTITIONS": {"default": {"NAMESPACE": "x"}}}, "E017", "not default"),
        ({"PARTITIONS": {"eu": {}}}, "E017", "a URL, a NAMESPACE or both"),
        ({"PARTITIONS": {"eu": {"URI": "x"}}}, "E017", "a URL, a NAMESPACE or both"),
        ({"PARTITIONS": {"eu": {"URL": 5}}}, "E017", "a URL, a NAMESPACE or both"),
        ({"PARTITIONS": {"eu": {"NAMESPACE": "rsmq"}}}, "E017", "namespace of default"),
        ({"PARTITIONS": {"eu": {"URL": "redis://127.0.0.1"}}}, "E017", "namespace of default"),
        (
            {"PARTITIONS": {"a": {"NAMESPACE": "x"}, "b": {"NAMESPACE": "x"}}},
            "E017",
            "address and the namespace of a.",
        ),
        ({"PARTITIONS": {"eu": {"URL": "eu:6379"}}}, "E005", "not the address"),
        (
            {"PARTITIONS": {"eu": {"URL": "redis+cluster://a:1"}}},
            "E006",
            '["PARTITIONS"]["eu"]["NAMESPACE"]',
        ),
        ({"PLACES": {"mail": "eu"}}, "E018", "not a partition"),
        ({"PLACES": {"m*l": "default"}}, "E018", "not a queue or a pattern"),
        ({"PLACES": {"a b": "default"}}, "E018", "not a queue or a pattern"),
        ({"PLACES": {"mail-low-dead": "default"}}, "E018", "Name mail alone"),
        ({"PLACES": {"mail": 5}}, "E018", "not a partition"),
    ],
)
def test_the_system_check_finds_wrong_partitions_and_places(settings, wrong, id, said):
    settings.QUEUEING = wrong
    [error] = run_checks(tags=["queueing"])
    assert error.id == f"queueing.{id}"
    assert said in f"{error.msg} {error.hint}"


def test_no_check_shows_the_password_of_a_partition(settings):
    settings.QUEUEING = {"PARTITIONS": {"eu": {"URL": "redis://:secret@eu:x"}}, "PLACES": {"a": "b"}}
    assert not any("secret" in str(error) for error in run_checks(tags=["queueing"]))


def test_a_configured_queue_and_its_messages_are_on_its_partition(system: System):
    assert queueing.create_queues() == ["orders", "mail", "audit"]
    ids = {queue: queueing.send_message(queue, queue) for queue in ("orders", "mail", "audit")}
    for queue, place in (("orders", "default"), ("mail", "eu"), ("audit", "us")):
        assert system.plain[place].list_queues() == [queue]
        assert system.plain[place].receive_message(queue).id == ids[queue]
    assert sorted(system.client.list_queues()) == ["audit", "mail", "orders"]
    assert [queue.name for queue in system.client.queue_figures()] == ["audit", "mail", "orders"]
    assert [queue.name for queue in system.client.queue_figures(["orders", "mail"])] == ["mail", "orders"]


def test_the_client_of_event_loops_has_the_same_partitions(system: System):
    async def act() -> None:
        client = queueing.aget_client()
        id = await queueing.asend_message("mail", "text")
        await client.create_queue("orders")
        assert sorted(await client.list_queues()) == ["mail", "orders"]
        assert [queue.ready for queue in await client.queue_figures()] == [1, 0]
        assert (await client.receive_message("mail")).id == id
        with pytest.raises(QueueError, match="mail is on the partition eu"):
            await client.move_messages("mail", "orders")

    asyncio.run(act())
    assert system.plain["eu"].get_queue_attributes("mail").totalrecv == 1


def test_a_dead_letter_stays_on_the_partition_of_its_queue(system: System):
    client = system.client
    client.create_queue("mail")
    client.set_redrive_policy("mail", 1)
    client.send_message("mail", "text")
    client.receive_message("mail", vt=0)
    assert client.receive_message("mail") is None
    assert system.plain["eu"].get_queue_attributes("mail-dead").msgs == 1
    assert client.redrive("mail") == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.move_messages("mail", "orders"),
        lambda client: client.set_redrive_policy("mail", 3, "graveyard"),
        lambda client: batch([step("mail", "a"), step("orders", "b")]).enqueue(),
        lambda client: batch([step("mail", "a")], on_success=step("orders", "b")).enqueue(),
        lambda client: batch([step("mail", "a"), batch([step("orders", "b")])]).enqueue(),
        lambda client: chain(step("mail", "a"), step("orders", "b")).enqueue(),
    ],
)
def test_a_call_for_queues_of_two_partitions_is_refused_before_it_changes_anything(system: System, act):
    for queue in ("mail", "orders"):
        system.client.create_queue(queue)
    keys = {name: sorted(client.redis.keys()) for name, client in system.plain.items()}
    with pytest.raises(QueueError, match="must be on one partition"):
        act(system.client)
    assert {name: sorted(client.redis.keys()) for name, client in system.plain.items()} == keys
    assert system.client.get_queue_policy("mail").max_receive_count == 0


def test_a_batch_is_found_and_cancelled_on_the_partition_of_its_queues(system: System):
    system.client.create_queue("mail")
    id = batch([step("mail", "a"), step("mail", "b")]).enqueue()
    assert queueing.composition.get_batch(id).total == 2
    queueing.composition.cancel_batch(id)
    assert queueing.composition.get_batch(id).is_cancelled


def test_names_that_are_not_names_are_refused_as_without_partitions(system: System):
    with pytest.raises(MissingParameter):
        system.client.send_message("", "text")
    with pytest.raises(InvalidFormat):
        system.client.send_message("a b", "text")
    with pytest.raises((MissingParameter, InvalidFormat)):
        system.client.send_message(None, "text")


def test_the_other_partitions_work_while_one_is_away(system: System):
    queueing.create_queues()
    system.servers["eu"].kill()
    queueing.send_message("orders", "text")
    assert system.client.receive_message("audit") is None
    with pytest.raises(QueueUnavailable):
        queueing.send_message("mail", "text")
    with pytest.raises(QueueUnavailable):
        system.client.list_queues()
    figures = system.client.queue_figures(["orders", "audit"])
    assert set(read_rates(system.client, figures)) == {"orders", "audit"}


def test_a_worker_of_new_queues_serves_the_partition_of_the_queue_default(settings):
    settings.QUEUEING = {"PARTITIONS": {"eu": {"NAMESPACE": "eu"}}, "PLACES": {"default": "eu"}}
    config = replace(get_conf(), queues=("orders",), takes_new_queues=True)
    assert {one.partition for one in by_partition(config)} == {"default", "eu"}
