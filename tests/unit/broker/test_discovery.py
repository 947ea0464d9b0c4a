"""Several servers that name another one: who is asked, and the sentence if nobody knows."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import NotReplicated, QueueUnavailable
from tests.support.certificates import self_signed
from tests.support.sentinel import NAME, Sentinel
from tests.support.waiting import accepts, eventually, free_port

PASSWORD = "p@ss:w/rd#%+ ü?&=[]"


@pytest.fixture
def sentinel(own_redis, tmp_path: Path) -> Iterator[Sentinel]:
    """A sentinel of one primary without replicas."""
    started = Sentinel(tmp_path / "sentinel", own_redis())
    with started.program:
        eventually(lambda: accepts(started.port), of=started.program)
        yield started


def sends(url: str) -> bool:
    client = connect(Config(URL=url, TIMEOUT=2))
    client.create_queue("q")
    client.send_message("q", "text")
    client.redis.close()
    return True


def test_a_sentinel_that_is_away_costs_nothing_but_a_try(sentinel):
    assert sends(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/{NAME}")


def test_a_name_that_no_sentinel_knows_is_a_sentence(sentinel):
    client = connect(Config(URL=f"redis+sentinel://127.0.0.1:{sentinel.port}/other", TIMEOUT=1))
    with pytest.raises(QueueUnavailable, match="they do not know it"):
        client.ping()


def test_tls_reaches_sentinel_and_primary(own_redis, tmp_path: Path):
    server = own_redis(tls=True)
    made = self_signed(server.folder)
    encrypted = Sentinel(tmp_path / "sentinel", server, certificate=made)
    with encrypted.program:
        eventually(lambda: accepts(encrypted.port), of=encrypted.program)
        url = f"rediss+sentinel://127.0.0.1:{encrypted.port}/{NAME}/0"
        assert sends(f"{url}?ssl_ca_certs={made.certificate}")
        with pytest.raises(QueueUnavailable):
            sends(url)


def test_a_sentinel_may_ask_for_a_password_of_its_own(sentinel):
    with sentinel.connect() as connection:
        connection.execute_command("ACL", "SETUSER", "app", "on", f">{PASSWORD}", "+@all")
        connection.execute_command("ACL", "SETUSER", "default", "off")
    hosts = f"127.0.0.1:{sentinel.port}/{NAME}/0"
    assert sends(f"redis+sentinel://{hosts}?sentinel_username=app&sentinel_password={quote_plus(PASSWORD)}")
    with pytest.raises(QueueUnavailable) as caught:
        sends(f"redis+sentinel://{hosts}?sentinel_password=tops3cret")
    assert "tops3cret" not in str(caught.value)


def test_a_send_that_no_replica_confirms_is_stored_once_and_raises_an_error(redis_server):
    client = connect(Config(URL=redis_server.url, TIMEOUT=1, DURABLE=1))
    client.create_queue("q")
    with pytest.raises(NotReplicated, match="0 of 1 replicas"):
        client.send_message("q", "text")
    assert client.get_queue_attributes("q").msgs == 1
    client.redis.close()


def test_a_send_that_a_replica_confirms_is_acknowledged(own_redis):
    primary, replica = own_redis(), own_redis()
    client = connect(Config(URL=primary.url, TIMEOUT=5, DURABLE=1))
    client.create_queue("q")
    with replica.connect() as connection:
        connection.replicaof("127.0.0.1", str(primary.port))
        eventually(lambda: connection.info("replication")["master_link_status"] == "up")
        message_id = client.send_message("q", "text")
        assert connection.hget("rsmq:q:Q", message_id) == b"text"
    client.redis.close()
