"""Error replies of a Redis that answers: nothing has changed, and the sentence names the reason."""

import os
from collections.abc import Callable, Iterator

import pytest
import redis
from redis import exceptions as driver
from redis.connection import DefaultParser

from queueing.broker import refusals
from queueing.client import QueueClient, sweep
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueFull, QueueRefused, QueueUnavailable, ReplyLost
from queueing.monitoring.store import read_metrics
from queueing.monitoring.workers import read_workers
from queueing.resilience import deadline
from queueing.scheduling import store
from tests.support.cutting_proxy import CuttingProxy, Fate
from tests.support.redis_server import RedisServer
from tests.support.threads import in_thread
from tests.support.waiting import eventually


@pytest.fixture
def server(own_redis) -> RedisServer:
    return own_redis()


@pytest.fixture
def admin(server: RedisServer) -> Iterator[redis.Redis]:
    with server.connect() as connection:
        yield connection


@pytest.fixture
def client(server: RedisServer, admin: redis.Redis) -> Iterator[QueueClient]:
    """A client with a queue and a message in it."""
    client = connect(Config(URL=server.url))
    client.create_queue("q")
    client.send_message("q", "text")
    yield client
    client.redis.close()


@pytest.fixture
def endless_script(server: RedisServer, admin: redis.Redis) -> Iterator[None]:
    admin.config_set("lua-time-limit", 50)

    def loop() -> None:
        with server.connect(socket_timeout=None) as other, pytest.raises(redis.ResponseError):
            other.eval("while true do end", 0)

    with in_thread(loop, end=lambda: eventually(admin.script_kill)):
        yield


# --- wording --------------------------------------------------------------------------------------------

WRAPPED = "Error running script (call to f_0a): @user_script:12: @user_script: 12: -{} You cannot. "


#: Only this text separates it from WRONGPASS in redis-py before 7.1.
TEXTS = {"NOAUTH": "Authentication required."}


@pytest.mark.parametrize("code", [*refusals.PASSING, *refusals.LASTING])
def test_every_code_is_a_refusal_with_its_code_in_the_sentence(code: str):
    error = refusals.translated(DefaultParser.parse_error(f"{code} {TEXTS.get(code, 'text')}"))
    assert isinstance(error, QueueRefused)
    assert f"({code})" in str(error)
    assert error.is_lasting == (code in refusals.LASTING)


@pytest.mark.parametrize("code", refusals.PASSING)
def test_redis_6_wraps_a_refusal_in_the_error_of_the_script(code: str):
    error = refusals.translated(driver.ResponseError(WRAPPED.format(code)))
    assert isinstance(error, QueueRefused)
    assert f"({code})" in str(error)


@pytest.mark.parametrize("text", ["OOM command not allowed when used memory", WRAPPED.format("OOM")])
def test_a_full_redis_has_an_error_of_its_own(text: str):
    assert type(refusals.translated(driver.ResponseError(text))) is QueueFull


def test_an_error_that_is_none_of_these_keeps_its_text():
    error = refusals.translated(driver.ResponseError("WRONGTYPE Operation against a key"))
    assert type(error) is QueueError
    assert "WRONGTYPE Operation" in str(error)


# --- a real Redis ---------------------------------------------------------------------------------------


def test_a_busy_redis_refuses(client: QueueClient, endless_script: None):
    with pytest.raises(QueueRefused, match="BUSY"):
        eventually_refused(lambda: client.send_message("q", "text"))
    with pytest.raises(QueueRefused, match="BUSY"):
        client.session.eviction_policy()
    with pytest.raises(QueueRefused, match="BUSY"):
        sweep.sweep_lost_queues(client.session)


def eventually_refused(call: Callable[[], object]) -> None:
    """Call until it is refused: a script is busy only after a while."""
    for _ in range(1000):
        call()


def test_a_redis_that_cannot_save_refuses(client: QueueClient, server: RedisServer, admin: redis.Redis):
    admin.config_set("save", "3600 100000")
    os.mkdir(server.folder / "dump.rdb")
    admin.bgsave()
    eventually(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")
    with pytest.raises(QueueRefused, match="MISCONF"):
        client.send_message("q", "text")
    with pytest.raises(QueueRefused, match="MISCONF"):
        client.ping()


def test_a_replica_without_its_primary_refuses(client: QueueClient, admin: redis.Redis):
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    admin.config_set("replica-serve-stale-data", "no")
    with pytest.raises(QueueRefused, match="MASTERDOWN"):
        client.list_queues()


def test_too_many_clients_are_refused_with_nothing_taken(client: QueueClient, server: RedisServer, admin):
    admin.config_set("maxclients", 1)
    other = connect(Config(URL=server.url))
    with pytest.raises(QueueRefused, match="maxclients") as caught:
        other.pop_message("q")
    assert not isinstance(caught.value, ReplyLost)
    admin.config_set("maxclients", 100)
    assert other.pop_message("q").body == "text"
    other.redis.close()


def test_a_user_that_is_disabled_and_enabled_again(
    client: QueueClient, server: RedisServer, admin: redis.Redis
):
    rules = (">old", "~*", "&*", "+@all")
    admin.execute_command("ACL", "SETUSER", "app", "on", *rules)
    user = connect(Config(URL=f"redis://app:old@127.0.0.1:{server.port}/0"))
    user.ping()
    admin.execute_command("ACL", "DELUSER", "app")
    with pytest.raises(QueueUnavailable, match="WRONGPASS"):
        user.ping()
    admin.execute_command("ACL", "SETUSER", "app", "on", *rules)
    assert user.pop_message("q").body == "text"
    user.redis.close()


def test_a_database_that_is_not_there_is_a_refusal(server: RedisServer):
    client = connect(Config(URL=f"redis://127.0.0.1:{server.port}/99"))
    with pytest.raises(QueueRefused, match="DB index"):
        client.ping()


# --- what still works ---------------------------------------------------------------------------------------

READS = {
    "attributes": lambda client: client.get_queue_attributes("q"),
    "policy": lambda client: client.get_queue_policy("q"),
    "names": lambda client: client.list_queues(),
    "clock": lambda client: client.now_ms(),
    "messages": lambda client: client.peek_messages("q"),
    "figures": lambda client: client.queue_figures(),
    "metrics": lambda client: read_metrics(client, ["q"], "m", 1, 5, "now"),
    "workers": lambda client: read_workers(client.session),
    "schedules": lambda client: store.schedules(client.session),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_replica_can_be_read(client: QueueClient, admin: redis.Redis, read):
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    read(client)


def test_a_replica_takes_no_ping(client: QueueClient, admin: redis.Redis):
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(QueueUnavailable):
        client.ping()


def test_a_refused_page_does_not_stop_the_others(client: QueueClient, admin: redis.Redis):
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    with deadline.within(0.3), pytest.raises(QueueRefused):
        client.send_message("q", "text")
    with deadline.within(0.3, is_read=True):
        assert client.list_queues() == ["q"]


class CutAndDemote:
    """Cuts the reply of the first send, which Redis has stored, and lets Redis refuse everything after it."""

    def __init__(self, admin: redis.Redis) -> None:
        self.admin, self.is_done = admin, False

    def __call__(self, command: list[bytes], reply: bytes) -> Fate:
        if self.is_done or command[0] != b"EVALSHA" or reply.startswith(b"-"):
            return Fate.PASS
        self.is_done = True
        self.admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        self.admin.config_set("replica-serve-stale-data", "no")
        return Fate.CUT


def test_a_refusal_after_a_lost_reply_does_not_claim_that_nothing_was_sent(client, server, admin):
    with CuttingProxy(server.port, CutAndDemote(admin)) as proxy:
        other = connect(Config(URL=proxy.url))
        with pytest.raises(ReplyLost, match="MASTERDOWN.*earlier try"):
            other.send_message("q", "stored")
        other.redis.close()
    admin.config_set("replica-serve-stale-data", "yes")
    assert [message.body for message in client.peek_messages("q")] == ["text", "stored"]


# --- a cluster ------------------------------------------------------------------------------------------


def is_up(node: redis.Redis) -> bool:
    return b"state:ok" in node.execute_command("CLUSTER", "INFO")


@pytest.fixture
def nodes(own_redis) -> Iterator[tuple[redis.Redis, redis.Redis]]:
    """The two nodes of a cluster: the second one has the slots of {rsmq}."""
    first, second = (own_redis(cluster_enabled="yes").connect() for _ in range(2))
    slot = first.execute_command("CLUSTER", "KEYSLOT", "{rsmq}")
    ours = range(8192, 16384) if slot >= 8192 else range(8192)
    second.execute_command("CLUSTER", "ADDSLOTS", *ours)
    first.execute_command("CLUSTER", "ADDSLOTS", *(set(range(16384)) - set(ours)))
    port = second.connection_pool.connection_kwargs["port"]
    first.execute_command("CLUSTER", "MEET", "127.0.0.1", port)
    for node in (first, second):
        eventually(lambda node=node: b"state:ok" in node.execute_command("CLUSTER", "INFO"))
    yield first, second
    first.close()
    second.close()


def test_a_node_that_has_other_keys_names_the_one_that_has_them(nodes):
    wrong, right = nodes
    port = right.connection_pool.connection_kwargs["port"]
    client = QueueClient(wrong, ns="{rsmq}")
    with pytest.raises(QueueRefused, match=rf'MOVED.*127\.0\.0\.1:{port}.*QUEUEING\["URL"\]') as caught:
        client.create_queue("q")
    assert caught.value.is_lasting
    QueueClient(right, ns="{rsmq}").create_queue("q")


def test_a_namespace_without_a_hash_tag_gets_the_advice_to_take_one(nodes):
    for node in nodes:
        with pytest.raises(QueueRefused, match=r'QUEUEING\["NAMESPACE"\].*\{rsmq\}'):
            QueueClient(node, ns="rsmq").create_queue("q")


def test_a_node_whose_slot_is_on_its_way(nodes):
    first, second = nodes
    client = QueueClient(second, ns="{rsmq}")
    client.create_queue("q")
    slot = first.execute_command("CLUSTER", "KEYSLOT", "{rsmq}")
    target = first.execute_command("CLUSTER", "MYID")
    second.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target)
    with pytest.raises(QueueRefused, match="ASK|TRYAGAIN"):
        client.create_queue("another")
    second.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
    client.create_queue("another")


def test_a_cluster_without_its_slots_is_down(own_redis):
    connection = own_redis(cluster_enabled="yes").connect()
    with connection, pytest.raises(QueueRefused, match="CLUSTERDOWN"):
        QueueClient(connection, ns="{rsmq}").create_queue("q")


def test_a_worker_on_a_cluster_without_a_hash_tag_says_once_what_to_do(own_redis, worker):
    server = own_redis(cluster_enabled="yes")
    with server.connect() as connection:
        connection.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(lambda: is_up(connection))
    with worker("slow", "ledger", redis_url=server.url) as process:
        process.wait_for_line(r"CROSSSLOT.*\{rsmq\}")
        process.terminate()
        assert process.wait() == 0
    assert sum("CROSSSLOT" in line for line in process.lines) == 1
