"""Compares the client with bare calls of its Lua scripts, which send, receive and delete messages.

A bare call is redis-py's ``execute_command("EVALSHA", …)`` on the client's own connection pool. Its keys and
arguments are prepared beforehand and are those that the client would send. Its reply is not parsed. The
client's calls and the bare calls take short turns on one queue, so that other load on the machine affects
both.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any

from queueing.client import QueueClient
from queueing.messages import Message

from .bare import RecordingClient, load_scripts
from .server import client_of, empty_server, versions
from .table import say, show_table

QUEUE = "benchmark"
BODY = "x" * 100
#: Calls per turn, by the number of messages per call.
CALLS = {1: 50, 100: 10, 1000: 3}
#: The client must reach at least this share of the bare rate.
TARGETS = {1: 0.75, 100: 0.60, 1000: 0.60}

Calls = list[Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """The costs of one message in µs: wall time, this process's CPU time, and the script's time in Redis."""

    wall: float
    process: float
    redis: float


class Ours:
    """The client's calls for one turn. Each call sends, receives or deletes ``size`` messages.

    The methods return the calls and do not run them.
    """

    def __init__(self, client: QueueClient, size: int) -> None:
        self.client, self.size = client, size

    def send(self) -> Calls:
        if self.size == 1:
            return [partial(self.client.send_message, QUEUE, BODY)] * CALLS[1]
        return [partial(self.client.send_messages, QUEUE, [BODY] * self.size)] * CALLS[self.size]

    def receive(self) -> Calls:
        if self.size == 1:
            return [partial(self.client.receive_message, QUEUE)] * CALLS[1]
        return [partial(self.client.receive_messages, QUEUE, self.size)] * CALLS[self.size]

    def delete(self, received: Sequence[Any]) -> Calls:
        if self.size == 1:
            return [partial(self.client.delete_message, QUEUE, one.id, rc=one.rc) for one in received]
        return [partial(self.client.delete_messages, QUEUE, messages) for messages in received]


class Bare:
    """The bare calls for one turn. They send the same commands as ``Ours``, but without the client."""

    def __init__(self, client: QueueClient, size: int) -> None:
        self.redis, self.recording = client.redis, RecordingClient(client)
        self.ours = Ours(self.recording, size)

    def send(self) -> Calls:
        return self._commands(self.ours.send())

    def receive(self) -> Calls:
        return self._commands(self.ours.receive())

    def delete(self, received: Sequence[list[Any]]) -> Calls:
        batches = [
            [_receipt(*pair) for pair in zip(reply[3::5], reply[5::5], strict=True)] for reply in received
        ]
        return self._commands(
            self.ours.delete([one for [one] in batches] if self.ours.size == 1 else batches)
        )

    def _commands(self, calls: Calls) -> Calls:
        return [
            partial(self.redis.execute_command, *command) for command in self.recording.commands_of(calls)
        ]


def _receipt(id: bytes, rc: int) -> Message:
    return Message(id.decode(), "", int(rc), 0, 0.0)


def timed(client: QueueClient, calls: Calls, size: int) -> tuple[Cost, list[Any]]:
    """Run ``calls``, each with ``size`` messages. Returns the costs of one message, and the results."""
    client.redis.config_resetstat()
    gc.collect()
    process, wall = time.process_time(), time.perf_counter()
    results = [call() for call in calls]
    wall, process = time.perf_counter() - wall, time.process_time() - process
    redis_us = client.redis.info("commandstats")["cmdstat_evalsha"]["usec"]
    messages = len(results) * size
    return Cost(wall * 1e6 / messages, process * 1e6 / messages, redis_us / messages), results


def take_turns(client: QueueClient, size: int, turns: int) -> Iterator[dict[str, tuple[Cost, Cost]]]:
    """Yield the costs of each operation for each turn, as pairs: with the client, and with bare calls.

    The client's calls come first in every second turn.
    """
    sides = [Ours(client, size), Bare(client, size)]
    for turn in range(turns + 1):
        costs: dict[str, dict[object, Cost]] = {"send": {}, "receive": {}, "delete": {}}
        for side in sides if turn % 2 else reversed(sides):
            costs["send"][side], _ = timed(client, side.send(), size)
            costs["receive"][side], received = timed(client, side.receive(), size)
            costs["delete"][side], _ = timed(client, side.delete(received), size)
        # The first turn is a warm-up.
        if turn:
            yield {operation: (cost[sides[0]], cost[sides[1]]) for operation, cost in costs.items()}


def rows_of(client: QueueClient, size: int, turns: int) -> Iterator[list[str]]:
    taken = list(take_turns(client, size, turns))
    for operation in ("send", "receive", "delete"):
        ours, bare = zip(*(costs[operation] for costs in taken), strict=True)
        ratios = [theirs.wall / mine.wall for mine, theirs in zip(ours, bare, strict=True)]
        low, _, high = quantiles(ratios, n=4)
        yield [
            f"{operation} {size}",
            *(f"{1e6 / median(cost.wall for cost in side):,.0f}" for side in (ours, bare)),
            f"{median(ratios):.0%}",
            f"{low:.0%} to {high:.0%}",
            f"{TARGETS[size]:.0%}",
            *(f"{median(cost.process for cost in side):.1f}" for side in (ours, bare)),
            f"{median(cost.redis for cost in ours):.1f}",
        ]


TITLES = [
    "messages per call",
    "ours, msgs/s",
    "bare, msgs/s",
    "ours / bare",
    "half of the turns",
    "target",
    "our process, µs/msg",
    "bare process, µs/msg",
    "Redis, µs/msg",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.client")
    parser.add_argument("--turns", type=int, default=101, help="turns of each side (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", choices=CALLS, default=list(CALLS))
    options = parser.parse_args()
    with empty_server() as server:
        client = client_of(server)
        load_scripts(client)
        client.create_queue(QUEUE)
        # Freeze imported objects, so that the collection before each turn skips them.
        gc.freeze()
        say(f"{versions(server)}; bodies of {len(BODY)} bytes; medians of {options.turns} turns")
        say()
        rows = [row for size in options.sizes for row in rows_of(client, size, options.turns)]
        show_table(TITLES, rows)


if __name__ == "__main__":
    main()
