"""Handlers, and receivers of all signals that write each received signal to stdout."""

import atexit
import os
import sys

from queueing import signals
from queueing.exceptions import QueueError
from queueing.handlers import handler, policy
from queueing.messages import Message
from tests.support.ledger import LEDGER_VARIABLE
from tests.support.ledger import write as note

#: Values that ``child_started`` has set up in this process.
SET_UP: list[int] = []


def write(*words: object) -> None:
    """Write one line with one call, so that lines of several processes do not mix."""
    sys.stdout.write(" ".join(["SIGNAL", *map(str, words)]) + "\n")
    sys.stdout.flush()


atexit.register(write, "atexit")


@policy(max_attempts=2, backoff=0)
@handler("heard")
def obey(message: Message) -> None:
    """Do what the body says, if this process has received ``child_started``."""
    if [os.getpid()] != SET_UP:
        raise RuntimeError("child_started was not received")
    note(os.environ[LEDGER_VARIABLE], "start", message.id, message.rc, message.body)
    if message.body == "die":
        os._exit(9)
    if message.body == "fail":
        raise ValueError("no")
    note(os.environ[LEDGER_VARIABLE], "end", message.id, message.rc, message.body)


def _started(child: str, **_: object) -> None:
    SET_UP.append(os.getpid())
    write("child_started", child)


def _worker_started(worker: str, queues: list[str], **_: object) -> None:
    write("worker_started", worker, *queues)


def _message_sent(queue: str, ids: list[str], messages: list[object], **_: object) -> None:
    write("message_sent", queue, *ids, len(messages))


def _job_started(context: object, **_: object) -> None:
    write("job_started", context.message.id)  # type: ignore[attr-defined]


def _ended(name: str):
    def receive(outcome: object, **_: object) -> None:
        write(name, outcome.id, outcome.event)  # type: ignore[attr-defined]

    return receive


def _raise(**_: object) -> None:
    raise QueueError("a receiver of the project fails")


for signal in (signals.job_finished, signals.child_started, signals.worker_started):
    signal.connect(_raise)
signals.child_started.connect(_started)
signals.worker_started.connect(_worker_started)
signals.message_sent.connect(_message_sent)
signals.job_started.connect(_job_started)
for name in ("job_finished", "job_retrying", "job_dead"):
    getattr(signals, name).connect(_ended(name), weak=False)
signals.worker_stopping.connect(lambda worker, **_: write("worker_stopping", worker), weak=False)
signals.child_stopping.connect(lambda child, **_: write("child_stopping", child), weak=False)
