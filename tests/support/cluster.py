"""A cluster of three primaries. The one with the queues has a replica."""

from collections.abc import Callable

from redis.crc import key_slot

from .redis_server import RedisServer
from .waiting import eventually

PRIMARIES, SLOTS = 3, 16_384
NAMESPACE = "{rsmq}"


class Cluster:
    """``make`` makes a Redis, as the fixture ``own_redis`` does. Node 0 has the slot of the queues."""

    def __init__(self, make: Callable[..., RedisServer]) -> None:
        options = {"cluster_enabled": "yes", "cluster_node_timeout": "1000", "repl_diskless_sync_delay": "0"}
        kept = {"appendonly": True, "appendfsync": "no"}
        self.nodes = [make(**kept, **options) for _ in range(PRIMARIES + 1)]
        self.slot = key_slot(NAMESPACE.encode())
        self._form()
        eventually(lambda: all(b"state:ok" in self._run(node, "INFO") for node in self.nodes))
        with self.nodes[-1].connect() as replica:
            eventually(lambda: replica.info("replication")["master_link_status"] == "up")

    def _form(self) -> None:
        """Write the file by which each node knows the others. Handshakes would take many seconds."""
        share = SLOTS // PRIMARIES + 1
        ranges = [(begin, min(begin + share, SLOTS) - 1) for begin in range(0, SLOTS, share)]
        ranges.sort(key=lambda one: not one[0] <= self.slot <= one[1])
        ids = [self.id_of(node) for node in self.nodes]
        roles = [("master", "-", f" {first}-{last}") for first, last in ranges] + [("slave", ids[0], "")]
        for mine in self.nodes:
            mine.stop()
            lines = [f"vars currentEpoch {len(ids)} lastVoteEpoch 0"]
            for number, (node, (role, primary, slots)) in enumerate(zip(self.nodes, roles, strict=True)):
                flags = f"myself,{role}" if node is mine else role
                address = f"127.0.0.1:{node.port}@{node.port + 10_000}"
                epoch = 1 if role == "slave" else number + 1
                lines.append(f"{ids[number]} {address} {flags} {primary} 0 0 {epoch} connected{slots}")
            (mine.folder / "nodes.conf").write_text("\n".join([*lines[1:], lines[0]]) + "\n")
        for node in self.nodes:
            node.start()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def id_of(self, node: RedisServer) -> str:
        return self._run(node, "MYID").decode()

    def owner(self, *, asked: int) -> int:
        """The port of the primary with the queues, as node number ``asked`` knows it."""
        with self.nodes[asked].connect() as connection:
            slots = connection.execute_command("CLUSTER", "SLOTS")
        for first, last, (_, port, *_), *_ in slots:
            if first <= self.slot <= last:
                return int(port)
        raise LookupError(self.slot)

    def move_slot(self, source: RedisServer, target: RedisServer) -> None:
        """Move the queues to another node, key by key, while they are used."""
        ids = self.id_of(source), self.id_of(target)
        self._run(target, "SETSLOT", self.slot, "IMPORTING", ids[0])
        self._run(source, "SETSLOT", self.slot, "MIGRATING", ids[1])
        while keys := self._run(source, "GETKEYSINSLOT", self.slot, 10):
            with source.connect() as connection:
                connection.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source):
            self._run(node, "SETSLOT", self.slot, "NODE", ids[1])

    @staticmethod
    def _run(node: RedisServer, *command: object):
        with node.connect() as connection:
            return connection.execute_command("CLUSTER", *command, NEVER_DECODE=True)
