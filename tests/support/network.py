"""Two hosts with networks of their own on this machine, and a switch between them.

A sleeping process holds each network. A network is gone when its process has ended, so nothing stays behind,
even if the tests are killed.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address

from .program import Program
from .programs import absent, require
from .waiting import eventually

#: A process that holds a network ends by itself after this time.
LIFE_SECONDS = 600
#: Addresses that are reserved for tests of networks (RFC 2544), in nets of 8. Each process of the tests has
#: one of these nets.
FIRST, NETS = IPv4Address("198.18.0.0"), 2**14


@dataclass(frozen=True)
class Host:
    """A place for servers: its address, and the command that runs a program there."""

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


LOOPBACK = Host()


class Network:
    """Two ``hosts`` on one switch, which the tests are on, too."""

    def __enter__(self) -> "Network":
        require("ip", "apt-get install iproute2")
        with contextlib.ExitStack() as stack:
            try:
                self._build([self._hold(stack) for _ in range(3)])
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                absent(f"no network can be made, run the tests as root on Linux: {said.splitlines()[-1]}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _hold(self, stack: contextlib.ExitStack) -> int:
        """Make a network. Returns the number of the process that holds it."""
        holder = Program(["unshare", "--net", "sleep", str(LIFE_SECONDS)], name="network")
        stack.enter_context(holder)
        own = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own, of=holder)
        return holder.pid

    def _build(self, holders: list[int]) -> None:
        switch, *hosts = holders
        self._switch = _inside(switch)
        _ip(self._switch, "link add switch up type bridge")
        first = FIRST + 8 * (os.getpid() % NETS)
        self.hosts = []
        for number, pid in enumerate([os.getpid(), *hosts]):
            card, host = f"test{os.getpid()}", Host(str(first + 1 + number), _inside(pid))
            _ip(self._switch, f"link add port{number} type veth peer name {card} netns {pid}")
            _ip(self._switch, f"link set port{number} master switch up")
            _ip(host.enter, f"address add {host.address}/29 dev {card}")
            for device in ("lo", card):
                _ip(host.enter, f"link set {device} up")
            self.hosts.append(host)
        del self.hosts[0]

    def part(self) -> None:
        """Cut the two hosts off from each other. The tests reach both, and both reach the tests."""
        self._isolate("on")

    def join(self) -> None:
        """End what ``part`` has begun."""
        self._isolate("off")

    def _isolate(self, state: str) -> None:
        # The switch passes nothing from one isolated port to another. Packets vanish without an error.
        for number in (1, 2):
            _ip(self._switch, f"link set port{number} type bridge_slave isolated {state}")


def _inside(pid: int) -> tuple[str, ...]:
    return "nsenter", f"--net=/proc/{pid}/ns/net"


def _ip(enter: tuple[str, ...], words: str) -> None:
    subprocess.run([*enter, "ip", *words.split()], check=True, capture_output=True, text=True, timeout=60)
