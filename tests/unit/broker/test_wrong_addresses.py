"""An address that leads to the wrong server, or names wrong files, gets one sentence with the remedy."""

import asyncio
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from redis import VERSION

from queueing.client import AsyncQueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueRefused, QueueUnavailable
from tests.support.certificates import Authority
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.sentinel import NAME
from tests.support.waiting import accepts, eventually, free_port

#: The right password of every server, and a wrong one. No sentence may show either.
SECRET, WRONG = "tops3cret", "wr0ngsecret"


# --- the files of certificates --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    for name, options in {
        "server": {},
        "client": {},
        "expired": {"days": -1},
        "other": {"host": "DNS:x.y"},
    }.items():
        made.sign(name, **options)
    Authority(made.folder, "foreign").sign("stranger")
    (made.folder / "text.pem").write_text("no certificate\n")
    locked = ("rsa", "-aes256", "-passout", f"pass:{SECRET}", "-in", "client.key", "-out", "locked.key")
    subprocess.run(["openssl", *locked], cwd=made.folder, check=True, capture_output=True, timeout=60)
    return made


#: The options of an address, with names of files, and the sentence.
FILES = {
    "missing authority": ("ssl_ca_certs=no.crt", "The file of ssl_ca_certs does not exist"),
    "folder": ("ssl_ca_certs=.", "The path of ssl_ca_certs is not that of a file"),
    "no authority": ("ssl_ca_certs=text.pem", "The file of ssl_ca_certs has no certificate"),
    "missing certificate": ("ssl_certfile=no.crt&ssl_keyfile=client.key", "ssl_certfile does not exist"),
    "missing key": ("ssl_certfile=client.crt&ssl_keyfile=no.key", "ssl_keyfile does not exist"),
    "no certificate": ("ssl_certfile=text.pem&ssl_keyfile=client.key", "ssl_certfile has no certificate"),
    "no key": ("ssl_certfile=client.crt&ssl_keyfile=text.pem", "ssl_keyfile has no private key"),
    "key left out": (
        "ssl_certfile=client.crt",
        "ssl_certfile has no private key in the format PEM. Add ssl_keyfile",
    ),
    "other key": ("ssl_certfile=client.crt&ssl_keyfile=server.key", "does not belong to the certificate"),
    "locked key": ("ssl_certfile=client.crt&ssl_keyfile=locked.key", "Add its password as ssl_password"),
    "wrong password": (
        f"ssl_certfile=client.crt&ssl_keyfile=locked.key&ssl_password={WRONG}",
        "ssl_password does not fit",
    ),
}


@pytest.mark.parametrize(("options", "said"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_used_gets_a_sentence_in_the_check(
    authority: Authority, settings, options: str, said: str
):
    query = "&".join(
        pair if pair.startswith("ssl_password") else pair.replace("=", f"={authority.folder}/")
        for pair in options.split("&")
    )
    url = f"rediss://:{SECRET}@127.0.0.1:1/0?{query}"
    settings.QUEUEING = {"URL": url}
    [error] = run_checks(tags=["queueing"])
    with pytest.raises(ImproperlyConfigured) as raised:
        connect(Config(URL=url))
    assert error.id == "queueing.E005"
    for text in (error.hint, str(raised.value)):
        assert said in text
        assert "\n" not in text
        assert not [part for part in (SECRET, WRONG, str(authority.folder)) if part in text]


def test_a_file_that_may_not_be_read_gets_a_sentence(authority: Authority, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(authority.own.certificate))

    # Root may read everything, so the refusal is not real.
    monkeypatch.setattr("queueing.broker.tls.open", refuse, raising=False)
    with pytest.raises(ImproperlyConfigured, match="ssl_ca_certs may not be read by the user"):
        connect(Config(URL=f"rediss://127.0.0.1:1/0?ssl_ca_certs={authority.own.certificate}"))


def test_the_address_of_a_partition_is_named(authority: Authority):
    further = {"eu": {"URL": "rediss://127.0.0.1:1/0?ssl_ca_certs=/no.crt"}}
    with pytest.raises(ImproperlyConfigured, match=r'QUEUEING\["PARTITIONS"\]\["eu"\]\["URL"\] is not'):
        connect(Config(PARTITIONS=further).at("eu"))


# --- handshakes -----------------------------------------------------------------------------------------

#: The certificate of the server, the authority of the client, its certificate, and the sentence.
HANDSHAKES = {
    "foreign authority": ("server", "foreign", "client", "is not signed by a trusted authority"),
    "expired": ("expired", "authority", "client", "certificate, or that of the authority, has expired"),
    "other host": ("other", "authority", "client", "certificate is for another host"),
    "none of the client": ("server", "authority", "", "it asks for a certificate of the client"),
    "stranger": ("server", "authority", "stranger", "does not trust the authority that signed"),
    "expired client": ("server", "authority", "expired", "certificate of ssl_certfile has expired"),
}


@pytest.mark.parametrize(("of_server", "trusted", "of_client", "said"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_handshake_that_fails_gets_a_sentence(
    authority: Authority, own_redis: Callable[..., RedisServer], of_server: str, trusted: str, of_client: str,
    said: str,
):  # fmt: skip
    folder = authority.folder
    server = own_redis(tls=True, tls_auth_clients="no")
    with server.connect() as admin:
        admin.config_set("tls-ca-cert-file", str(authority.own.certificate))
        files = {"tls-cert-file": folder / f"{of_server}.crt", "tls-key-file": folder / f"{of_server}.key"}
        admin.execute_command("CONFIG", "SET", *[str(part) for pair in files.items() for part in pair])
        admin.config_set("tls-auth-clients", "yes")
    url = f"rediss://:{SECRET}@127.0.0.1:{server.port}/0?ssl_ca_certs={folder}/{trusted}.crt"
    if of_client:
        url += f"&ssl_certfile={folder}/{of_client}.crt&ssl_keyfile={folder}/{of_client}.key"
    # A client that writes before the server's refusal has arrived sees only that the connection ends.
    assert eventually(lambda: said in refused(url))


#: The options of a server, the address, and whether the port takes TLS.
SCHEMES = {
    "TLS for a plain port": ({}, "rediss://:{login}@127.0.0.1:{port}/0?socket_connect_timeout=1", False),
    "TLS for plain sentinels": ({}, f"rediss+sentinel://:{{login}}@127.0.0.1:{{port}}/{NAME}/0", False),
    "TLS for plain nodes": ({}, "rediss+cluster://:{login}@127.0.0.1:{port}", False),
    "none for a port with TLS": ({"tls": True}, "redis://:{login}@127.0.0.1:{port}/0", True),
    "none and no password for a port with TLS": ({"tls": True}, "redis://127.0.0.1:{port}/0", True),
    "none for sentinels with TLS": (
        {"tls": True},
        f"redis+sentinel://:{{login}}@127.0.0.1:{{port}}/{NAME}/0?sentinel_password={{login}}",
        True,
    ),
    "none for nodes with TLS": ({"tls": True}, "redis+cluster://:{login}@127.0.0.1:{port}", True),
}


@pytest.mark.parametrize(("options", "url", "has_tls"), SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("in_loop", [False, True], ids=["blocking", "in a loop"])
def test_an_address_with_the_wrong_scheme_for_the_port_gets_a_sentence(
    own_redis: Callable[..., RedisServer], options: dict, url: str, has_tls: bool, in_loop: bool
):
    server = own_redis(password=SECRET, **options)
    client = connect(Config(URL=url.format(login=SECRET, port=server.port), NAMESPACE="{rsmq}"))
    said = "takes only TLS: begin the address with rediss" if has_tls else "does not take TLS: begin the add"

    def is_said() -> bool:
        with pytest.raises(QueueUnavailable) as caught:
            asyncio.run(AsyncQueueClient(client).ping()) if in_loop else client.ping()
        text = str(caught.value)
        assert SECRET not in text
        assert "\n" not in text
        return said in text and isinstance(caught.value, QueueRefused) and caught.value.is_lasting

    # The second connection, which finds the cause, waits only a moment for a busy server.
    assert eventually(is_said)


@pytest.fixture
def closing_port() -> Iterator[int]:
    """The port of a server that closes each connection, as a proxy does without the server behind it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_server_that_closes_or_is_silent_is_not_taken_for_one_with_another_scheme(
    closing_port: int, scheme: str
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (closing_port, silent.getsockname()[1]):
            url = f"{scheme}://127.0.0.1:{port}/0?socket_connect_timeout=0.2&socket_timeout=0.2"
            with pytest.raises(QueueUnavailable, match="does not answer"):
                connect(Config(URL=url)).ping()


def refused(url: str, namespace: str = "rsmq") -> str:
    """The sentence of the refusal, which has no part of a password."""
    client = connect(Config(URL=url, NAMESPACE=namespace))
    with pytest.raises(QueueRefused) as caught:
        client.ping()
    text = str(caught.value)
    assert caught.value.is_lasting
    assert not [part for part in (SECRET, WRONG) if part in text]
    assert "\n" not in text
    client.redis.close()
    return text


# --- servers of another kind, and logins ----------------------------------------------------------------


@pytest.fixture
def sentinel(own_redis: Callable[..., RedisServer], tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts a sentinel of a Redis with the password ``SECRET``. Returns its port."""
    started: list[Program] = []

    def start(*lines: str) -> int:
        redis, port = own_redis(password=SECRET), free_port()
        file = tmp_path / "sentinel.conf"
        monitor = (f"sentinel monitor {NAME} 127.0.0.1 {redis.port} 1", f"sentinel auth-pass {NAME} {SECRET}")
        file.write_text("\n".join((f"port {port}", f"dir {tmp_path}", *lines, *monitor)) + "\n")
        started.append(Program(["redis-server", file, "--sentinel"], cwd=tmp_path).start())
        eventually(lambda: accepts(port), of=started[-1])
        return port

    yield start
    for program in started:
        program.stop()


#: The rest of the address of a sentinel that has no password, and the sentence.
OF_SENTINELS = {
    "unknown name": (f"redis+sentinel://:{SECRET}@{{}}/other/0", "they do not know it by the name"),
    "password for nothing": (
        f"redis+sentinel://:{SECRET}@{{}}/{NAME}/0?sentinel_password={WRONG}",
        "remove sentinel_password",
    ),
    "password of Redis": (f"redis+sentinel://:{WRONG}@{{}}/{NAME}/0", "Redis refuses (WRONGPASS)"),
    "no password of Redis": (
        f"redis+sentinel://{{}}/{NAME}/0",
        "Redis refuses (NOAUTH): it asks for a password",
    ),
    "as a Redis": ("redis://{}/0", "If it is a sentinel, write redis+sentinel://"),
    "as a database of a Redis": ("redis://{}/3", "If it is a sentinel, write redis+sentinel://"),
    "as a cluster": ("redis+cluster://{}", "is that of a sentinel: write redis+sentinel://"),
}


@pytest.mark.parametrize(("url", "said"), OF_SENTINELS.values(), ids=OF_SENTINELS)
def test_a_sentinel_with_a_wrong_address_gets_a_sentence(sentinel: Callable[..., int], url: str, said: str):
    assert said in refused(url.format(f"127.0.0.1:{sentinel()}"))


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("", "The sentinels refuse (NOAUTH): they ask for a password: add ?sentinel_password="),
        (f"sentinel_password={WRONG}", "The sentinels refuse (WRONGPASS): sentinel_username or"),
        (f"sentinel_username=bob&sentinel_password={SECRET}", "The sentinels refuse (WRONGPASS)"),
    ],
)
def test_a_wrong_login_at_the_sentinels_gets_a_sentence(sentinel: Callable[..., int], login: str, said: str):
    port = sentinel(f"requirepass {SECRET}")
    assert said in refused(f"redis+sentinel://:{SECRET}@127.0.0.1:{port}/{NAME}/0?{login}".rstrip("?"))


#: The options of a server, the address, and the sentence.
OF_REDIS = {
    "as sentinels": (
        {},
        f"redis+sentinel://{{}}/{NAME}/0",
        "The address of the sentinels is that of a Redis",
    ),
    "as a cluster": ({}, "redis+cluster://{}", "is that of a Redis without a cluster: write redis://"),
    "password for nothing": (
        {},
        f"redis://:{WRONG}@{{}}/0",
        # Before 6, redis-py names the default user, and Redis answers otherwise.
        "it has no password for its default user"
        if VERSION >= (6,)
        else "the user name or the password is wrong",
    ),
    "no database": ({}, "redis://{}/99", "write a lower number of the database"),
    "no password": ({"password": SECRET}, "redis://{}/0", "(NOAUTH): it asks for a password"),
    "wrong password": (
        {"password": SECRET},
        f"redis://:{WRONG}@{{}}/0",
        "the user name or the password is wrong",
    ),
    "wrong user": (
        {"password": SECRET},
        f"redis://bob:{SECRET}@{{}}/0",
        "the user name or the password is wrong",
    ),
    "no password of a node": ({"password": SECRET}, "redis+cluster://{}", "(NOAUTH): it asks for a password"),
    "wrong password of a node": ({"password": SECRET}, f"redis+cluster://:{WRONG}@{{}}", "(WRONGPASS)"),
    "node as a Redis": (
        {"cluster_enabled": "yes"},
        "redis://{}/2",
        "only the database 0: write redis+cluster:",
    ),
    "node as sentinels": ({"cluster_enabled": "yes"}, f"redis+sentinel://{{}}/{NAME}", "is that of a Redis"),
}


@pytest.mark.parametrize(("options", "url", "said"), OF_REDIS.values(), ids=OF_REDIS)
def test_a_redis_with_a_wrong_address_gets_a_sentence(
    own_redis: Callable[..., RedisServer], options: dict[str, str], url: str, said: str
):
    server = own_redis(**options)
    assert said in refused(url.format(f"127.0.0.1:{server.port}"), "{rsmq}")


def test_an_event_loop_gets_the_same_sentence(own_redis: Callable[..., RedisServer]):
    client = connect(Config(URL=f"redis+sentinel://127.0.0.1:{own_redis().port}/{NAME}/0"))
    with pytest.raises(QueueRefused, match="The address of the sentinels is that of a Redis"):
        asyncio.run(AsyncQueueClient(client).ping())
