"""Many readers in Node and Python at the same time."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from queueing.client import QueueClient
from tests.support.node_programs import VERSIONS
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import eventually

from .bridge import node_side

COUNT = 10_000
BY_NODE = 1000


def test_three_readers_in_node_and_three_here_take_ten_thousand_messages_once_each(
    redis_server: RedisServer, client: QueueClient, figure: Callable[[str], None]
):
    client.create_queue("q")
    with ExitStack() as stack:
        versions = (*VERSIONS, VERSIONS[-1])
        nodes = [stack.enter_context(node_side(version, redis_server.port)) for version in versions]
        arguments = [sys.executable, "-m", "tests.wire.consumer", redis_server.url, "q"]
        # One takes single messages, as Node does. The others take small batches.
        ours = [stack.enter_context(Program([*arguments, count], name="reader")) for count in "125"]
        for reader in ours:
            reader.wait_for_line("^ready$")
        pool = stack.enter_context(Threads(3))
        ids = nodes[0].call("produce", qname="q", count=BY_NODE, delay=5)
        ids += client.send_messages("q", [f"ours {number}" for number in range(COUNT - BY_NODE)], delay=5)
        started = time.monotonic()
        theirs = [pool.submit(node.call, "consume", qname="q") for node in nodes]
        taken = [reader.result(timeout=60) for reader in theirs]
        for reader in ours:
            eventually(lambda reader=reader: len(reader.lines) == 2, of=reader)
            taken.append(json.loads(reader.lines[1]))
        seconds = time.monotonic() - started
    assert all(taken), "every reader had some"
    counts = Counter(message_id for took in taken for message_id, _ in took)
    assert set(counts) == set(ids)
    assert set(counts.values()) == {1}
    assert {rc for took in taken for _, rc in took} == {1}
    attributes = client.get_queue_attributes("q")
    assert (attributes.totalsent, attributes.totalrecv, attributes.msgs) == (COUNT, COUNT, 0)
    fields = {field.decode() for field in client.redis.hkeys("rsmq:q:Q")}
    assert fields == {"vt", "delay", "maxsize", "created", "modified", "totalsent", "totalrecv"}
    assert {key for key in client.redis.keys("*") if b"::sender:" not in key} == {b"rsmq:QUEUES", b"rsmq:q:Q"}
    shares = ", ".join(str(len(took)) for took in taken)
    figure(f"3 Node and 3 Python readers, {COUNT} messages: {seconds:.1f} s; each took {shares}")
