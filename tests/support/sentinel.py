"""A primary with two replicas, and three sentinels that watch them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from .certificates import Certificate
from .network import LOOPBACK, Host
from .program import Program
from .programs import require
from .redis_server import HINT, SERVER_VARIABLE, RedisServer
from .waiting import accepts, eventually, free_port

NAME = "mymaster"
REPLICAS, SENTINELS, QUORUM = 2, 3, 2
#: A primary that is silent for this long is down.
DOWN_MS = 1000
#: The user by which replicas and sentinels log in, so that a test can lock them out.
INSIDER = "insider"


class Sentinel:
    """One sentinel in a folder of its own. With a certificate it accepts TLS alone."""

    def __init__(
        self,
        folder: Path,
        primary: RedisServer,
        *,
        certificate: Certificate | None = None,
        host: Host = LOOPBACK,
    ) -> None:
        self.folder, self.port, self.host = folder, free_port(), host
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "sentinel.conf"
        lines = [
            f"port {self.port}",
            f"bind {host.address}",
            "protected-mode no",
            f"dir {folder}",
            f"sentinel monitor {NAME} {primary.host.address} {primary.port} {QUORUM}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 6000",
            f"sentinel parallel-syncs {NAME} {REPLICAS}",
            f"sentinel auth-user {NAME} {INSIDER}",
            f"sentinel auth-pass {NAME} {INSIDER}",
        ]
        if certificate:
            lines[0] = f"port 0\ntls-port {self.port}\ntls-replication yes\ntls-auth-clients no"
            lines += [f"tls-{use}-file {certificate.certificate}" for use in ("cert", "ca-cert")]
            lines.append(f"tls-key-file {certificate.key}")
        self._file.write_text("\n".join(lines) + "\n")
        server = os.environ.get(SERVER_VARIABLE) or require("redis-server", HINT)
        self.program = Program([*host.enter, server, self._file, "--sentinel"], name="sentinel", cwd=folder)

    def connect(self) -> redis.Redis:
        return redis.Redis(self.host.address, self.port, socket_timeout=5, decode_responses=True)


class Sentinels:
    """All six servers. ``make`` makes a Redis, as the fixture ``own_redis`` does.

    ``hosts`` are the host of the primary and that of all others.
    """

    def __init__(
        self,
        folder: Path,
        make: Callable[..., RedisServer],
        *,
        hosts: tuple[Host, Host] = (LOOPBACK, LOOPBACK),
        **options: str,
    ) -> None:
        first, self.others = hosts
        login = {"masteruser": INSIDER, "masterauth": INSIDER, "repl_diskless_sync_delay": "0"}
        self.servers = [
            make(appendonly=True, appendfsync="no", host=host, **login, **options)
            for host in (first, *[self.others] * REPLICAS)
        ]
        for server in self.servers:
            self.admit_insiders(server)
        primary, *replicas = self.servers
        for replica in replicas:
            with replica.connect() as connection:
                connection.replicaof(primary.host.address, str(primary.port))
        for replica in replicas:
            with replica.connect() as connection:
                eventually(lambda of=connection: of.info("replication")["master_link_status"] == "up")
        self.folder, self.sentinels = folder, list[Sentinel]()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Sentinels":
        with self._stack as stack:
            for number in range(SENTINELS):
                # Each takes its port before the next one looks for a free port.
                sentinel = Sentinel(self.folder / str(number), self.servers[0], host=self.others)
                stack.enter_context(sentinel.program)
                eventually(lambda of=sentinel: accepts(of.port, of.host.address), of=sentinel.program)
                self.sentinels.append(sentinel)
            for sentinel in self.sentinels:
                eventually(lambda of=sentinel: self._is_complete(of), of=sentinel.program)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _is_complete(self, sentinel: Sentinel) -> bool:
        with sentinel.connect() as connection:
            state = connection.sentinel_master(NAME)
        return state["num-slaves"] == REPLICAS and state["num-other-sentinels"] == SENTINELS - 1

    @property
    def url(self) -> str:
        hosts = ",".join(f"{sentinel.host.address}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{NAME}/0"

    @property
    def primary(self) -> RedisServer:
        """The server that most sentinels name."""
        named = sorted(self._named())
        return next(server for server in self.servers if server.port == named[len(named) // 2])

    def _named(self) -> Iterator[int]:
        for sentinel in self.sentinels:
            with sentinel.connect() as connection:
                yield connection.sentinel_get_master_addr_by_name(NAME)[1]

    def wait_for_another(self, old: RedisServer) -> RedisServer:
        """Wait until all sentinels name another primary than ``old``. Returns it.

        A sentinel that has stood still for two seconds does nothing in the next thirty ("TILT").
        """
        eventually(lambda: old.port not in set(self._named()), within_seconds=150, every_seconds=0.05)
        return self.primary

    def wait_for_replicas(self) -> None:
        """Wait until the primary has all replicas."""

        def is_complete() -> bool:
            with self.primary.connect() as connection:
                return connection.info("replication")["connected_slaves"] == REPLICAS

        eventually(is_complete)

    # --- faults ---------------------------------------------------------------------------------

    def fail_over(self) -> None:
        """Order a failover, as for maintenance."""
        with self.sentinels[0].connect() as connection:
            connection.execute_command("SENTINEL", "FAILOVER", NAME)

    def admit_insiders(self, server: RedisServer) -> None:
        """Let replicas and sentinels log in to ``server``."""
        with server.connect() as connection:
            rules = ("on", f">{INSIDER}", "~*", "&*", "+@all")
            connection.execute_command("ACL", "SETUSER", INSIDER, *rules)

    def lock_out_insiders(self, server: RedisServer) -> None:
        """Cut ``server`` off from replicas and sentinels, but not from its clients."""
        with server.connect() as connection:
            # A sentinel that cannot log in pings as the default user.
            connection.execute_command("ACL", "SETUSER", "default", "-ping")
            connection.execute_command("ACL", "SETUSER", INSIDER, "off")
            with contextlib.suppress(redis.ResponseError):
                connection.execute_command("CLIENT", "KILL", "USER", INSIDER)
