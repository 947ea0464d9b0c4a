"""A real MariaDB on a free loopback port."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from .program import Program
from .programs import require
from .waiting import HANG_SECONDS, eventually, free_port

HINT = "apt-get install mariadb-server"
#: The server refuses to run as root. It then runs as this user, which Debian's package creates.
SERVER_USER = "mysql"


class MariaDBServer:
    """A server in a temporary folder, with the user ``root`` without a password. ``stop`` removes it."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder: Path | None = None
        self._program: Program | None = None

    def start(self) -> "MariaDBServer":
        server, install = require("mariadbd", HINT), require("mariadb-install-db", HINT)
        self._folder = Path(tempfile.mkdtemp(prefix="test-mariadb-"))
        user = []
        if os.geteuid() == 0:
            shutil.chown(self._folder, SERVER_USER)
            user = [f"--user={SERVER_USER}"]
        data = f"--datadir={self._folder / 'data'}"
        subprocess.run(
            [
                install,
                "--no-defaults",
                data,
                *user,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            timeout=HANG_SECONDS,
        )
        self._program = Program(
            [
                *(server, "--no-defaults", data, *user, f"--port={self.port}", "--bind-address=127.0.0.1"),
                *(f"--socket={self._folder / 'socket'}", "--skip-name-resolve"),
                *("--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"),
            ],
            name="mariadb",
            cwd=self._folder,
        ).start()
        eventually(self._answers, of=self._program)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        if self._program is not None:
            self._program.kill_group()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "MariaDBServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
