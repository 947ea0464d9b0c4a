"""A TCP proxy in front of Redis that loses replies and commands on request."""

import contextlib
import enum
import socket
import threading
from collections import deque
from collections.abc import Callable

from .resp import Closed, read_command, read_reply


class Fate(enum.Enum):
    """Fate of one reply."""

    PASS = "pass"
    #: The command has run. Its reply is lost with the connection.
    CUT = "cut"
    #: The command has run. Its reply is lost, but the connection stays open, so the client times out.
    DROP = "drop"
    #: The same, and no later command on this connection is answered.
    MUTE = "mute"


#: Decides the fate of one reply, given the words of its command and its raw bytes.
Rule = Callable[[list[bytes], bytes], Fate]


def pass_all(_command: list[bytes], _reply: bytes) -> Fate:
    return Fate.PASS


class CutEachOnce:
    """Cut the first reply of each different script call, up to ``limit`` calls. A repeated call passes.

    An error such as NOSCRIPT passes, because that call had no effect. ``commands`` names the commands to
    cut. ``only`` receives the words of a command and returns whether to cut it.
    """

    def __init__(
        self,
        *,
        limit: int | None = None,
        commands: tuple[bytes, ...] = (b"EVALSHA", b"EVAL", b"FCALL"),
        only: Callable[[list[bytes]], bool] = lambda _words: True,
        fate: Fate = Fate.CUT,
    ) -> None:
        self.limit = limit
        self.commands = commands
        self.only = only
        self.fate = fate
        self.cut = 0
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()

    def __call__(self, command: list[bytes], reply: bytes) -> Fate:
        if command[0].upper() not in self.commands or reply.startswith(b"-"):
            return Fate.PASS
        if not self.only(command):
            return Fate.PASS
        with self._lock:
            # EVALSHA and EVAL of the same call differ only in the word that names the script.
            call = b"\x00".join(command[2:])
            if call in self._seen or (self.limit is not None and self.cut >= self.limit):
                return Fate.PASS
            self._seen.add(call)
            self.cut += 1
            return self.fate


class CutNth:
    """Cut the reply of the ``number``-th command (from 1) that is named ``command``."""

    def __init__(self, number: int, command: bytes = b"EVALSHA", fate: Fate = Fate.CUT) -> None:
        self.number = number
        self.command = command
        self.fate = fate
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self, command: list[bytes], _reply: bytes) -> Fate:
        if command[0].upper() != self.command:
            return Fate.PASS
        with self._lock:
            self._count += 1
            return self.fate if self._count == self.number else Fate.PASS


class MuteOnce:
    """Silence the connection that receives the first reply picked by ``chosen``.

    ``struck`` is set at that moment. The command has run, so a test can kill the client that waits for the
    reply.
    """

    def __init__(self, chosen: Callable[[list[bytes], bytes], bool]) -> None:
        self.chosen = chosen
        self.struck = threading.Event()

    def __call__(self, command: list[bytes], reply: bytes) -> Fate:
        if self.struck.is_set() or not self.chosen(command, reply):
            return Fate.PASS
        self.struck.set()
        return Fate.MUTE


class DeafOnce:
    """Swallow the first command that ``chosen`` picks, and all later commands of its connection."""

    def __init__(self, chosen: Callable[[list[bytes]], bool]) -> None:
        self.chosen = chosen
        self.struck = threading.Event()

    def __call__(self, command: list[bytes]) -> bool:
        if self.struck.is_set() or not self.chosen(command):
            return False
        self.struck.set()
        return True


def hear_all(_command: list[bytes]) -> bool:
    return False


class CuttingProxy:
    """Listens on a free loopback port and forwards to Redis on ``target_port``.

    ``rule`` decides about each reply, ``deaf`` about each command. A command picked by ``deaf`` never
    reaches Redis, and neither do later ones on its connection. ``target_port`` may change: new connections
    use the new port. ``latency_seconds`` delays each reply. ``refuse`` closes all open connections and
    every new one. ``half_open`` accepts commands and answers nothing, like a host that has lost its power.
    """

    def __init__(self, target_port: int, rule: Rule = pass_all) -> None:
        self.target_port = target_port
        self.rule = rule
        self.deaf: Callable[[list[bytes]], bool] = hear_all
        self.latency_seconds = 0.0
        self.half_open = False
        self.commands: deque[str] = deque(maxlen=100_000)
        self.accepted = 0
        self._refusing = False
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    # --- life -----------------------------------------------------------------------------------

    def __enter__(self) -> "CuttingProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        self._thread.join(60)

    # --- faults ---------------------------------------------------------------------------------

    @property
    def refuse(self) -> bool:
        return self._refusing

    @refuse.setter
    def refuse(self, refusing: bool) -> None:
        self._refusing = refusing
        if refusing:
            self.cut_all()

    def cut_all(self) -> None:
        """Cut every open connection."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # --- forwarding -----------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            _Pair(self, client, server).start()

    def _keep(self, *connections: socket.socket) -> None:
        with self._lock:
            self._open.update(connections)

    def _forget(self, *connections: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(connections)


class _Pair:
    """One client and its connection to Redis, with a thread for each direction."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self.waiting: deque[list[bytes]] = deque()
        self.threads_left = 2
        self.is_deaf = self.is_mute = False
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        self.proxy._keep(self.client, self.server)
        for direction in (self._requests, self._replies):
            threading.Thread(target=self._forward, args=(direction,), daemon=True).start()

    def _forward(self, direction: Callable[[], None]) -> None:
        with contextlib.suppress(Closed, OSError, ValueError):
            direction()
        for connection in (self.client, self.server):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with self.proxy._lock:
            self.threads_left -= 1
            last = self.threads_left == 0
        if last:
            self.proxy._forget(self.client, self.server)
            self.client.close()
            self.server.close()

    def _requests(self) -> None:
        with self.client.makefile("rb") as stream:
            while True:
                raw, words = read_command(stream)
                self.proxy.commands.append(words[0].decode(errors="replace").upper() if words else "")
                self.is_deaf = self.is_deaf or self.proxy.deaf(words)
                if self.proxy.half_open or self.is_deaf:
                    continue
                self.waiting.append(words or [b""])
                self.server.sendall(raw)

    def _replies(self) -> None:
        with self.server.makefile("rb") as stream:
            while True:
                raw = read_reply(stream)
                fate = self._fate(raw)
                if self.proxy.latency_seconds:
                    self.proxy._stopped.wait(self.proxy.latency_seconds)
                if fate is Fate.CUT:
                    raise Closed
                self.is_mute = self.is_mute or fate is Fate.MUTE
                if fate is Fate.PASS and not self.proxy.half_open and not self.is_mute:
                    self.client.sendall(raw)

    def _fate(self, raw: bytes) -> Fate:
        # A push, or a message on a RESP 2 subscription, does not answer a waiting command.
        if raw.startswith(b">") or not self.waiting:
            return Fate.PASS
        words = self.waiting.popleft()
        # Each new client first reads the format of the keys. The rules count the calls of the test alone.
        is_format = words[3:4] and words[3].endswith(b"::format")
        return Fate.PASS if is_format else self.proxy.rule(words, raw)
