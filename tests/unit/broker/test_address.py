"""Every scheme of an address works, and one that cannot be used gets a sentence without a part of it."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from mqsite.addresses import redis_url
from mqsite.environment import Environment
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from tests.support.certificates import self_signed
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.worker_process import WorkerProcess

PASSWORD = "p@ss:w/rd#%+ ü?&=[]"
#: The password of the addresses in this file. No sentence may show it.
SECRET = "tops3cret"


@pytest.fixture
def log_in(own_redis, tmp_path: Path) -> Callable[[bool], RedisServer]:
    """Starts a Redis with a Unix socket and a user with an odd name and password."""

    def start(tls: bool = False) -> RedisServer:
        server = own_redis(tls=tls, unixsocket=str(tmp_path / "r.sock"))
        with server.connect() as admin:
            rules = ("on", f">{PASSWORD}", "~*", "&*", "+@all")
            admin.execute_command("ACL", "SETUSER", "odd:user", *rules)
        return server

    return start


USER = f"{quote('odd:user', safe='')}:{quote(PASSWORD, safe='')}@"


def works(client: QueueClient) -> bool:
    """Whether a message sent later wakes a receive that waits."""
    client.create_queue("q")
    with Threads(1) as thread:
        waiting = thread.submit(client.receive_messages, "q", wait_seconds=20)
        client.send_message("q", "text")
        found = [message.body for message in waiting.result(60)]
    client.delete_queue("q")
    client.redis.close()
    return found == ["text"]


def test_a_connection_reads_no_metadata_of_the_drivers_package(redis_server, monkeypatch):
    def refuse(name: str) -> str:
        raise AssertionError(name)

    monkeypatch.setattr("importlib.metadata.version", refuse)
    assert works(connect(Config(URL=redis_server.url)))


@pytest.mark.parametrize("user", ["", USER])
@pytest.mark.parametrize(
    "rest", ["", "/", "/3", "?db=3", "/0?client_name=shop&protocol=3&decode_responses=1"]
)
def test_tcp(log_in, user: str, rest: str):
    server = log_in()
    assert works(connect(Config(URL=f"redis://{user}127.0.0.1:{server.port}{rest}")))


@pytest.mark.parametrize("user", ["", USER])
@pytest.mark.parametrize("rest", ["/3", "?ssl_cert_reqs=none&ssl_check_hostname=no"])
def test_tls(log_in, user: str, rest: str):
    server = log_in(tls=True)
    conf = Config(URL=f"rediss://{user}127.0.0.1:{server.port}{rest}", TLS_VERIFY="?" in rest)
    assert works(connect(conf))


def test_tls_with_a_certification_authority_and_a_certificate_of_the_client(log_in):
    server = log_in(tls=True)
    made = self_signed(server.folder)
    with server.connect() as admin:
        admin.config_set("tls-auth-clients", "yes")
    trusting = f"rediss://{USER}127.0.0.1:{server.port}/0?ssl_ca_certs={made.certificate}"
    assert works(connect(Config(URL=f"{trusting}&ssl_certfile={made.certificate}&ssl_keyfile={made.key}")))
    with pytest.raises(QueueUnavailable):
        connect(Config(URL=trusting)).ping()


@pytest.mark.parametrize("user", ["", USER])
@pytest.mark.parametrize("rest", ["", "?db=3", "?db=3&socket_timeout=2&max_connections=3"])
def test_a_unix_socket(log_in, tmp_path: Path, user: str, rest: str):
    log_in()
    client = connect(Config(URL=f"unix://{user}{tmp_path}/r.sock{rest}"))
    assert works(client)


def test_the_database_of_an_address_is_used(log_in, tmp_path: Path):
    server = log_in()
    for url in (f"redis://127.0.0.1:{server.port}/3", f"unix://{tmp_path}/r.sock?db=3"):
        client = connect(Config(URL=url))
        client.create_queue(url[:4])
        client.redis.close()
    with server.connect() as connection:
        assert set(connection.info("keyspace")) == {"db3"}


def test_a_worker_on_a_unix_socket(log_in, tmp_path: Path, worker: Callable[..., WorkerProcess], ledger):
    log_in()
    url = f"unix://{tmp_path}/r.sock"
    client = connect(Config(URL=url))
    client.create_queue("ledger")
    message_id = client.send_message("ledger", "text")
    with worker("ledger", "--burst", redis_url=url) as process:
        assert process.wait() == 0, process.output
    ledger.assert_each_ran_once([message_id])
    client.redis.close()


MALFORMED = [
    f"http://:{SECRET}@a",
    f"127.0.0.1:6379/{SECRET}",
    f" redis://:{SECRET}@a",
    f"redis://:{SECRET}@a\n",
    f"redis://u:{SECRET}@a:port",
    f"redis://u:{SECRET}@a:99999",
    f"redis://u:{SECRET}@[::1",
    f"redis://u:{SECRET}@a/queue",
    f"redis://u:{SECRET}@a/-1",
    f"redis://u:1{SECRET}/x@a:6379/0",
    f"redis://u:{SECRET}#x@a:6379/0",
    f"redis://u:1#{SECRET}@a:6379/0",
    f"redis://u:1?{SECRET}@a:6379/0",
    f"redis://u:1/{SECRET}@a:6379/0",
    f"redis://a/0?{SECRET}=1",
    f"redis://a/0?db={SECRET}",
    f"redis://a/0?socket_timeout={SECRET}",
    f"redis://:{SECRET}@a/0?ssl_cert_reqs=none",
    f"rediss://:{SECRET}@a/0?ssl_cert_reqs=CERT_NONE",
    f"redis://a/0?retry_on_error={SECRET}",
    f"unix://{SECRET}/r.sock",
    f"unix://:{SECRET}@/",
    "unix://",
    f"redis+sentinel://u:{SECRET}@a",
    f"redis+sentinel://u:{SECRET}@a,/mymaster",
    f"redis+sentinel://u:{SECRET}@a:x/mymaster",
    f"redis+sentinel://u:{SECRET}@b@a/mymaster",
    f"redis+sentinel://u:{SECRET}@a/mymaster/queue",
    f"rediss+sentinel://a/mymaster/0?{SECRET}=1",
    f"rediss+sentinel://a/mymaster/0/{SECRET}",
    f"redis+sentinel://a/mymaster/0?sentinel_db={SECRET}",
    f"redis+other://a/{SECRET}",
    f"redis+cluster://u:{SECRET}@a/1",
    f"redis+cluster://u:{SECRET}@a,b:x",
    f"redis+cluster://u:{SECRET}@b@a",
    f"rediss+cluster://a?db=3&client_name={SECRET}",
    f"redis+sentinel://u:1/{SECRET}@a/0",
    f"redis+sentinel://:{SECRET}@a/mymaster\n",
    f"redis://:{SECRET}@a?socket_timeout=-1",
    f"redis://:{SECRET}@a?timeout=-1",
    f"rediss://:{SECRET}@a?ssl_min_version=12",
    f"rediss+sentinel://:{SECRET}@a/mymaster?ssl_keyfile=/k.pem",
    f"unix:///r.sock?socket_keepalive=1&password={SECRET}",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_address_gets_a_sentence_without_a_part_of_it(settings, url: str):
    settings.QUEUEING = {"URL": url, "NAMESPACE": "{rsmq}"}
    [error] = run_checks(tags=["queueing"])
    assert error.id == "queueing.E005"
    with pytest.raises(ImproperlyConfigured) as raised:
        connect(Config(URL=url))
    env = Environment({"REDIS_URL": f"{url}"})
    redis_url(env, default="redis://default")
    texts = [f"{error.msg} {error.hint}", str(raised.value), *env.problems.values()]
    assert not [text for text in texts if SECRET in text or "\n" in text]
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("namespace", [None, "rsmq", "{}rsmq", "}{rsmq"])
def test_a_namespace_without_a_hash_tag_on_a_cluster_is_one_sentence(settings, namespace: str | None):
    settings.QUEUEING = {"URL": "redis+cluster://a,b"} | ({"NAMESPACE": namespace} if namespace else {})
    [error] = run_checks(tags=["queueing"])
    assert (error.id, "{rsmq}" in error.hint) == ("queueing.E006", True)
    settings.QUEUEING = {"URL": "redis+cluster://a,b", "NAMESPACE": "shop{1}"}
    assert run_checks(tags=["queueing"]) == []


@pytest.mark.parametrize("url", [MALFORMED[4], MALFORMED[-1]])
def test_a_worker_with_a_malformed_address_stops_with_a_sentence(url: str, worker):
    with worker("ledger", redis_url=url) as process:
        assert process.wait() == 1
    assert "is not the address of a Redis" in process.output
    assert SECRET not in process.output
    assert "Traceback" not in process.output
