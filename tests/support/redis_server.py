"""A real Redis (or Valkey) on a free loopback port."""

import contextlib
import os
from pathlib import Path
from typing import Any

import redis

from .certificates import self_signed
from .network import LOOPBACK, Host
from .program import Program
from .programs import require
from .waiting import HANG_SECONDS, NODE_PORTS, PORTS, eventually, free_port

HINT = "apt-get install redis-server"
#: The path of another server to run the tests on, such as an older Redis or a Valkey.
SERVER_VARIABLE = "REDIS_SERVER"


class RedisServer:
    """``redis-server`` in a folder of its own. ``restart`` keeps port and folder.

    Without ``appendonly`` all data is lost in a restart. With it, all acknowledged data survives
    (``appendfsync always``). With ``tls`` the port accepts only TLS, with a self-signed certificate. Other
    ``options`` are those of redis.conf, with ``_`` for ``-``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        appendonly: bool = False,
        tls: bool = False,
        maxmemory: str = "0",
        password: str = "",
        host: Host = LOOPBACK,
        **options: str,
    ) -> None:
        self.folder = folder
        self.appendonly = appendonly
        self.tls = tls
        self.maxmemory = maxmemory
        self.password = password
        self.host = host
        self.options = options
        self.port = free_port(NODE_PORTS if "cluster_enabled" in options else PORTS)
        self._program: Program | None = None

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> "RedisServer":
        program = os.environ.get(SERVER_VARIABLE) or require("redis-server", HINT)
        self.folder.mkdir(parents=True, exist_ok=True)
        args = [*self.host.enter, program, *self._options()]
        self._program = Program(args, name="redis-server", cwd=self.folder)
        self._program.start()
        eventually(self._answers, of=self._program)
        return self

    def _options(self) -> list[str]:
        options = {
            "bind": self.host.address,
            "protected-mode": "no",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self.appendonly else "no",
            "appendfsync": "always",
            "maxmemory": self.maxmemory,
            "maxmemory-policy": "noeviction",
            "port": "0" if self.tls else str(self.port),
        }
        if self.tls:
            made = self_signed(self.folder)
            options |= {
                "tls-port": str(self.port),
                "tls-cert-file": str(made.certificate),
                "tls-key-file": str(made.key),
                "tls-ca-cert-file": str(made.certificate),
                "tls-auth-clients": "no",
            }
        if self.password:
            options["requirepass"] = self.password
        options |= {name.replace("_", "-"): value for name, value in self.options.items()}
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _answers(self) -> bool:
        with contextlib.closing(self.connect()) as connection:
            return bool(connection.ping())

    def stop(self) -> None:
        """Send SIGTERM, as a platform does for maintenance."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def kill(self) -> None:
        """``kill -9``."""
        if self._program is not None:
            self._program.kill_group()
            self._program = None

    def restart(self) -> None:
        """Stop and start again on the same port, with the data of the append-only file."""
        self.stop()
        self.start()

    def __enter__(self) -> "RedisServer":
        return self if self._program is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- using it -------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        scheme = "rediss" if self.tls else "redis"
        login = f":{self.password}@" if self.password else ""
        return f"{scheme}://{login}{self.host.address}:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid

    def connect(self, **options: Any) -> redis.Redis:
        """A plain connection for the test itself. Its calls end if Redis hangs. It checks no certificate."""
        options.setdefault("socket_timeout", HANG_SECONDS / 2)
        if self.tls:
            options.setdefault("ssl_cert_reqs", "none")
        return redis.Redis.from_url(self.url, **options)
