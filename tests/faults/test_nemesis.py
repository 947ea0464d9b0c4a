"""Random faults, from a seed that repeats them.

``NEMESIS_SECONDS`` is the duration of the faults, ``NEMESIS_SEED`` selects the run. Without a seed, each
run is a new one and prints its seed.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from queueing.client import QueueClient
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.node_programs import VERSIONS
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate
from tests.wire.bridge import node_side

from .nemesis.kinds import KINDS
from .nemesis.plan import draw
from .nemesis.run import Run
from .nemesis.stage import QUEUES, SHAPES, SLOTS, Stage
from .nemesis.traffic import NODE_PAUSE_SECONDS, PAUSE_SECONDS, WORK_SECONDS, NodeProgram, Sender, Traffic

SECONDS = float(os.environ.get("NEMESIS_SECONDS", "30"))
SOAK_SECONDS = float(os.environ.get("NEMESIS_SECONDS", "600"))
#: The time in which workers recover from the last fault: the longest outage, lease and back-off.
RECOVERY_SECONDS = 60
#: A backlog may take this many times its pure work, because a machine of two cores also runs the rest.
SLOWNESS = 5


@pytest.fixture
def stage(
    worker: Callable[..., WorkerProcess], redis_server: RedisServer, client: QueueClient, ledger: Ledger
) -> Iterator[Stage]:
    with PostgresServer() as postgres:
        migrate(postgres.url)
        with Stage(worker, redis_server, postgres, client, ledger) as stage:
            yield stage


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(SECONDS, id="short"), pytest.param(SOAK_SECONDS, id="long", marks=pytest.mark.soak)],
)
def test_random_faults_lose_no_message_and_settle_none_twice(
    stage: Stage, invariants: Invariants, figure: Callable[[str], None], seconds: float
):
    seed = int(os.environ.get("NEMESIS_SEED") or random.SystemRandom().randrange(10**6))
    run = Run(stage, draw(seed, seconds, sorted(KINDS), len(SHAPES)))
    replay = f'NEMESIS_SEED={seed} NEMESIS_SECONDS={seconds:g} make test ARGS="tests/faults/test_nemesis.py"'
    try:
        sent = _strike(stage, run, seed, seconds, invariants)
        drained = _drain(stage)
        for queue in QUEUES:
            # Node deletes only RSMQ's own fields of a message.
            stage.client.sweep_queue(queue)
        invariants.check(faults=len(run.plan) + sent.poisons, drained=QUEUES, diary=stage.postgres)
    except BaseException as error:
        invariants.do_not_hold("the failure has been reported already")
        error.add_note("\n".join([f"Replay it with: {replay}", "What struck:", *run.told]))
        raise
    figure(f"nemesis: {len(run.plan)} blows, {sent.acknowledged} messages, {drained}; {replay}")


def _strike(stage: Stage, run: Run, seed: int, seconds: float, invariants: Invariants) -> Sender:
    sender = Sender(stage.senders_proxy.url, seed, invariants)
    with node_side(VERSIONS[0], stage.redis.port) as node:
        program = NodeProgram(node, seed, invariants)
        with (
            Traffic("sender", sender.turn, PAUSE_SECONDS),
            Traffic("Node", program.turn, NODE_PAUSE_SECONDS),
        ):
            for post in stage.posts:
                eventually(post.children, of=post.process, what="something runs in it")
            run.strike_all(seconds)
    assert sender.acknowledged > 10 * seconds, f"it sent: {sender.unsure} were unsure"
    assert program.sent, "Node took part"
    return sender


def _drain(stage: Stage) -> str:
    """Everything is repaired: all sent messages come to their end, and the workers stop on request."""
    first = stage.posts[0].process
    began, left = time.monotonic(), _left(stage)
    work_seconds = sum(left[queue] * WORK_SECONDS[queue] for queue in QUEUES) / SLOTS
    eventually(
        lambda: not any(_left(stage).values()),
        within_seconds=RECOVERY_SECONDS + SLOWNESS * work_seconds,
        every_seconds=0.2,
        of=first,
        what=lambda: f"drained: {_left(stage)}",
    )
    drained = f"the {sum(left.values())} left at its end drained in {time.monotonic() - began:.0f} s"
    for post in stage.posts:
        assert post.process.is_running, f"it ended by itself: {post.process.tail()}"
        post.process.terminate()
    for process in [*stage.leaving, *(post.process for post in stage.posts)]:
        code = process.wait()
        assert code == 0 or (code == -signal.SIGTERM and not _had_begun(process)), process.tail()
    return drained


def _had_begun(process: WorkerProcess) -> bool:
    """Whether the process had finished its imports: before that, it has nothing to lose."""
    return "threads of each" in process.output


def _left(stage: Stage) -> dict[str, int]:
    left = {queue: stage.client.get_queue_attributes(queue).msgs for queue in QUEUES}
    return {**left, "outbox": stage.client.redis.xlen(stage.client.keys.outbox())}
