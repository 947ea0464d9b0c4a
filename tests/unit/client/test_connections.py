"""Ways to reach Redis, and its unusual states: TLS, users, roles, clusters, full."""

import threading
from collections.abc import Iterator

import pytest
import redis

from queueing.client import QueueClient, sweep
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueFull, QueueUnavailable
from queueing.monitoring.workers import beat
from tests.support.threads import Threads
from tests.support.waiting import eventually


def round_trip(client: QueueClient) -> str:
    client.create_queue("q")
    client.send_message("q", "text")
    return client.pop_message("q").body


def test_tls_with_a_certificate_that_is_not_checked(own_redis):
    server = own_redis(tls=True)
    assert round_trip(connect(Config(URL=server.url, TLS_VERIFY=False))) == "text"


def test_tls_with_a_certificate_that_does_not_pass_is_refused(own_redis):
    server = own_redis(tls=True)
    with pytest.raises(QueueUnavailable, match="certificate"):
        connect(Config(URL=server.url)).ping()


def test_a_user_and_a_password(own_redis):
    server = own_redis()
    admin = server.connect()
    admin.acl_setuser(
        "worker", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"]
    )
    address = f"127.0.0.1:{server.port}"
    assert round_trip(connect(Config(URL=f"redis://worker:secret@{address}"))) == "text"
    with pytest.raises(QueueUnavailable, match="WRONGPASS|invalid username-password"):
        connect(Config(URL=f"redis://worker:wrong@{address}")).ping()
    admin.close()


def test_a_password_is_in_no_error(own_redis):
    server = own_redis()
    url = f"redis://worker:secret@127.0.0.1:{server.port}"
    server.stop()
    with pytest.raises(QueueUnavailable) as caught:
        connect(Config(URL=url)).ping()
    assert "secret" not in str(caught.value)


def test_a_primary_that_became_a_replica_is_waited_for(own_redis):
    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("q")
    id = client.send_message("q", "text")
    client.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(QueueUnavailable, match="ReadOnly|READONLY"):
        client.send_message("q", "text")
    with Threads(1) as thread:
        # Even a pop is tried again: what was refused has certainly had no effect.
        popped = thread.submit(client.pop_message, "q")
        client.redis.execute_command("REPLICAOF", "NO", "ONE")
        assert popped.result(60).id == id
    client.redis.close()


def test_too_few_replicas_refuse_a_send_with_nothing_done(own_redis):
    server = own_redis(min_replicas_to_write="1")
    client = QueueClient(server.connect())
    with pytest.raises(QueueUnavailable, match="NOREPLICAS"):
        client.create_queue("q")
    client.redis.config_set("min-replicas-to-write", 0)
    assert round_trip(client) == "text"
    client.redis.close()


@pytest.fixture
def clustered(own_redis) -> Iterator[QueueClient]:
    """A client in a namespace with a hash tag, on a cluster of one node."""
    connection = own_redis(cluster_enabled="yes").connect()
    connection.execute_command("CLUSTER", "ADDSLOTS", *range(16384))  # 6.2 has no range of them
    eventually(lambda: b"state:ok" in connection.execute_command("CLUSTER", "INFO"))
    yield QueueClient(connection, ns="{rsmq}")
    connection.close()


def test_a_namespace_with_a_hash_tag_works_on_a_cluster(clustered):
    client = clustered
    client.create_queue("q")
    client.create_queue("other")
    client.set_redrive_policy("q", 1)
    ids = client.send_messages("q", ["a", "b", "c"])
    client.send_message("q", "d", headers={"h": "1"}, deduplication_id="once", delay_ms=5)
    first = client.receive_message("q", vt=0)
    assert client.receive_messages("q", 1)[0].id == ids[1]
    client.sweep_queue("q")  # if the receive has not met it already
    assert client.peek_messages("q-dead")[0].id == first.id
    assert client.redrive("q") == 1
    assert client.release_message("q", client.receive_message("q")) == 1
    assert client.move_messages("q", "other", count=1) == 1
    sweep.sweep_lost_queues(client.session)
    assert len(client.queue_figures()) == 3
    client.purge_queue("other")
    client.delete_queue("q")


def test_a_worker_works_on_a_cluster(clustered, conf):
    from queueing.broker import outbox
    from queueing.broker.leases import abandon, extend
    from tests.unit.conftest import Hand, ended

    client = clustered
    client.create_queue("work")
    client.send_messages("work", ["a", "b", "c"])
    child = Hand(client, conf, "a")
    one, two, _ = child.claim().deliveries
    assert child.settle(ended(one, "done"), ended(two, "dead")) == {}
    assert extend(client.session, conf, {"work": ["a"]}) == {"work": ([], [])}
    assert abandon(client.session, conf, "work", "a", started=[], reason="left") == 1
    outbox.drop(client.session, outbox.read(client.session, "r", count=10))
    beat(client.session, "w", "{}", "token")


@pytest.fixture
def full(own_redis):
    """A client of a Redis that has reached its maxmemory, with 400 messages in the queue."""
    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("q")
    client.create_queue("other")
    client.set_redrive_policy("q", 2)
    client.send_messages("q", ["x" * 100] * 400)
    client.receive_messages("q", 10, vt=0)
    client.redis.config_set("maxmemory", client.redis.info("memory")["used_memory"] - 1)
    yield client
    client.redis.close()


def test_a_full_redis_refuses_every_send_with_a_sentence(full):
    for send in (
        lambda: full.send_message("q", "x"),
        lambda: full.send_messages("q", ["x"] * 10),
        lambda: full.send_message("q", "x", headers={"a": "b"}, deduplication_id="c"),
    ):
        with pytest.raises(QueueFull, match="Redis is full"):
            send()
    assert full.get_queue_attributes("q").totalsent == 400


def test_a_full_redis_is_drained_and_steered(full):
    one, two, three, *rest = full.receive_messages("q", 20, vt=0)
    assert full.delete_messages("q", [one, two]) == [1, 1]
    assert full.change_message_visibility("q", three.id, 0) == 1
    assert full.release_message("q", rest[0]) == 1
    assert full.sweep_queue("q").buried == 0
    full.set_redrive_policy("q", 1)
    assert full.sweep_queue("q").buried > 20
    assert full.pop_message("q")
    assert full.redrive("q", count=1) == 1
    assert full.move_messages("q", "other", count=5) == 5
    assert full.set_queue_attributes("q", vt=5).vt == 5
    assert full.pause_queue("q").paused
    assert full.purge_queue("q") > 300
    full.delete_queue("q")


def test_a_process_has_a_bounded_number_of_connections(redis_server):
    client = connect(Config(URL=f"{redis_server.url}?client_name=bounded"), connections=2)
    client.create_queue("q")
    together = threading.Barrier(20)

    def send(number: int) -> str:
        together.wait(60)
        return client.send_message("q", str(number))

    with Threads(20) as threads:
        assert len(set(threads.map(send, range(20)))) == 20
        connected = [one for one in client.redis.client_list() if one["name"] == "bounded"]
    assert 1 <= len(connected) <= 2
    client.redis.connection_pool.disconnect()


def test_a_thread_that_gets_no_connection_has_an_error_after_a_second(redis_server):
    client = connect(Config(URL=redis_server.url, TIMEOUT=0.5), connections=1)
    taken = client.redis.connection_pool.get_connection()
    with pytest.raises(QueueUnavailable, match="No connection available"):
        client.ping()
    client.redis.connection_pool.release(taken)
    client.ping()
    client.redis.connection_pool.disconnect()


def test_a_key_of_another_type_is_an_error_and_no_outage(client):
    client.redis.set("rsmq:q:Q", "a string")
    with pytest.raises(QueueError, match="rsmq:q:Q holds a string") as caught:
        client.get_queue_attributes("q")
    assert not isinstance(caught.value, QueueUnavailable)


def test_a_client_on_the_third_version_of_the_protocol(redis_server):
    client = QueueClient(redis.Redis.from_url(redis_server.url, protocol=3))
    client.create_queue("q")
    with Threads(1) as thread:
        waiting = thread.submit(client.receive_messages, "q", wait_seconds=10)
        client.send_message("q", "text")
        assert [message.body for message in waiting.result(60)] == ["text"]
    client.redis.close()
