"""Measures the cost of ``DURABLE``: the time of sends that wait until replicas have stored the message.

A primary and two replicas run on this machine. Sends that wait for 0, 1 or 2 replicas are measured in turns,
so that other load affects all of them. The result is a Markdown table.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from queueing.client.default import connect
from queueing.conf import Config
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

from .table import say, show_table

REPLICAS = 2
BODY = "x" * 100
#: Messages of one send in the second half of the table.
BATCH = 100


@contextmanager
def primary_with_replicas() -> Iterator[RedisServer]:
    with TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        folders = [Path(name) / str(number) for number in range(1 + REPLICAS)]
        primary, *replicas = (stack.enter_context(RedisServer(folder)) for folder in folders)
        for replica in replicas:
            with replica.connect() as connection:
                connection.replicaof("127.0.0.1", primary.port)
        with primary.connect() as connection:
            eventually(lambda: connection.info("replication")["connected_slaves"] == REPLICAS)
            eventually(lambda: connection.wait(REPLICAS, 1000) == REPLICAS)
        yield primary


def took_ms(act: Callable[[], object], count: int) -> list[float]:
    """Call ``act`` ``count`` times. Returns the time of each call in ms."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1e3)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.durable")
    parser.add_argument("--turns", type=int, default=20, help="turns of each column (%(default)s)")
    parser.add_argument("--count", type=int, default=100, help="sends of a turn (%(default)s)")
    options = parser.parse_args()
    with primary_with_replicas() as primary:
        conf = Config(URL=primary.url)
        clients = [connect(replace(conf, DURABLE=replicas)) for replicas in range(REPLICAS + 1)]
        clients[0].create_queue("bench")
        single: list[list[float]] = [[] for _ in clients]
        batch: list[list[float]] = [[] for _ in clients]
        for turn in range(options.turns + 1):
            for number, client in enumerate(clients):
                one = took_ms(lambda client=client: client.send_message("bench", BODY), options.count)
                many = took_ms(
                    lambda client=client: client.send_messages("bench", [BODY] * BATCH), options.count // 10
                )
                if turn:  # The first one warms up.
                    single[number] += one
                    batch[number] += many
            clients[0].purge_queue("bench")
    say(
        f"ms of a send; p50 and p99 of {options.turns * options.count}, and p50 of sends of {BATCH} messages."
    )
    rows = []
    for replicas, (one, many) in enumerate(zip(single, batch, strict=True)):
        middle = median(one)
        ratio = f"{middle / median(single[0]):.2f}"
        rows.append(
            [str(replicas), f"{middle:.3f}", f"{quantiles(one, n=100)[98]:.3f}", ratio, f"{median(many):.2f}"]
        )
    show_table(["DURABLE", "p50", "p99", "ratio of p50", f"p50 of {BATCH}"], rows)


if __name__ == "__main__":
    main()
