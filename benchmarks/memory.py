"""Compares how much memory messages take in Redis: sent by the client, and written as RSMQ writes them."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from queueing.broker.idempotency import SendCall, random_tails
from queueing.broker.keys import Keys
from tests.support.node_programs import node_program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

from .bare import load_scripts
from .server import client_of, empty_server, versions
from .table import say, show_table

QUEUE = "benchmark"
BODY = "x" * 100
STEP = 1000
NODE_PACKAGE = "rsmq-0.12"


def fill_by_client(server: RedisServer, count: int) -> None:
    """Send ``count`` messages with the client, in batches."""
    client = client_of(server)
    client.create_queue(QUEUE)
    for start in range(0, count, STEP):
        client.send_messages(QUEUE, [BODY] * min(STEP, count - start))
    client.redis.connection_pool.disconnect()


def fill_by_commands(server: RedisServer, count: int) -> None:
    """Send ``count`` messages one by one with the Redis commands of RSMQ's createQueue and sendMessage."""
    keys = Keys("rsmq")
    attributes, schedule = keys.attributes(QUEUE), keys.schedule(QUEUE)
    with server.connect() as connection:
        seconds, us = connection.time()
        fields = {"vt": 30, "delay": 0, "maxsize": 65536, "created": seconds, "modified": seconds}
        connection.hset(attributes, mapping=fields)
        connection.sadd(keys.queues(), QUEUE)
        for start in range(0, count, STEP):
            first_us = seconds * 1_000_000 + us + start
            with connection.pipeline(transaction=False) as pipeline:
                for id in SendCall("", 0, random_tails(min(STEP, count - start))).ids(first_us):
                    pipeline.zadd(schedule, {id: first_us // 1000})
                    pipeline.hset(attributes, id, BODY)
                    pipeline.hincrby(attributes, "totalsent", 1)
                pipeline.execute()


def fill_by_node(server: RedisServer, count: int) -> None:
    """Send ``count`` messages with npm's rsmq, in the version that the tests pin."""
    program = Path(__file__).with_name("send.js")
    arguments = (NODE_PACKAGE, str(server.port), QUEUE, str(count), str(len(BODY)))
    with node_program(str(program), *arguments) as node:
        assert node.wait(within_seconds=120) == 0, node.tail()


def used_memory(connection: redis.Redis) -> int:
    """The bytes of memory that Redis uses, without the buffers of other connections.

    Waits until all other connections are closed.
    """
    eventually(lambda: connection.info("clients")["connected_clients"] == 1)
    return connection.info("memory")["used_memory"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The memory that messages take, in bytes.

    ``queued`` is the growth of Redis' memory while the messages are queued, and ``received`` is the growth
    after they were received. ``keys`` is the memory of the keys alone while the messages are queued.
    """

    queued: int
    keys: int
    received: int


def measure(fill: Callable[[RedisServer, int], None], count: int) -> Taken:
    """Measure the memory that ``count`` messages take if ``fill`` sends them.

    Scripts and buffers do not grow with the messages. They are created before the first measurement, so they
    do not count.
    """
    with empty_server() as server, server.connect() as connection:
        client = client_of(server)
        load_scripts(client)
        fill(server, STEP)
        client.receive_messages(QUEUE, STEP)
        client.redis.connection_pool.disconnect()
        connection.flushall()
        before = used_memory(connection)
        fill(server, count)
        queued = used_memory(connection)
        keys = sum(connection.memory_usage(key, samples=0) for key in connection.scan_iter())
        found = connection.zcard(client.keys.schedule(QUEUE))
        assert found == count, f"{found} of {count} messages are there"
        for start in range(0, count, STEP):
            client.receive_messages(QUEUE, min(STEP, count - start), vt=3600)
        client.redis.connection_pool.disconnect()
        received = used_memory(connection)
    return Taken(queued - before, keys, received - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.memory")
    parser.add_argument("--messages", type=int, default=100_000, help="how many are queued (%(default)s)")
    parser.add_argument("--node", action="store_true", help="let npm's rsmq fill a queue, too (needs npm)")
    options = parser.parse_args()
    fillers = {"ours": fill_by_client, "RSMQ's commands": fill_by_commands}
    if options.node:
        fillers[f"npm {NODE_PACKAGE}"] = fill_by_node
    with empty_server() as server:
        say(f"{versions(server)}; {options.messages:,} messages of {len(BODY)} bytes")
    say()
    taken = {name: measure(fill, options.messages) for name, fill in fillers.items()}
    rsmq = taken["RSMQ's commands"]
    rows = [
        [
            name,
            f"{one.queued:,}",
            f"{one.queued / rsmq.queued:.2%}",
            f"{one.keys:,}",
            f"{one.keys / rsmq.keys:.2%}",
            f"{one.queued / options.messages:.1f}",
            f"{one.received / options.messages:.1f}",
        ]
        for name, one in taken.items()
    ]
    show_table(TITLES, rows)


TITLES = [
    "written by",
    "used_memory",
    "of RSMQ's",
    "the keys alone",
    "of RSMQ's",
    "bytes/message",
    "once received by us",
]


if __name__ == "__main__":
    main()
