"""Handlers of the fault tests: each writes the start and the end of its run to the ledger.

An environment variable names the file, so that every process of a worker finds it.
"""

import asyncio
import ctypes
import json
import os
import resource
import signal
import threading

from queueing import send_message
from queueing.context import Context
from queueing.handlers import GiveUp, RetryIn, Snooze, handler, policy
from queueing.messages import Message
from tests.support.ledger import LEDGER_VARIABLE, write


def _note(event: str, message: Message) -> None:
    write(os.environ[LEDGER_VARIABLE], event, message.id, message.rc, message.body)


def _work_for(seconds: float) -> None:
    threading.Event().wait(seconds)


@handler("ledger")
def note(message: Message) -> None:
    """Write the two lines and nothing else."""
    _note("start", message)
    _note("end", message)


@handler("brisk")
def work_a_moment(message: Message) -> None:
    """Take long enough to be interrupted."""
    _note("start", message)
    _work_for(0.002)
    _note("end", message)


@handler("slow")
def wait(message: Message) -> None:
    """Take the seconds in the first word of the body."""
    _note("start", message)
    _work_for(float(message.body.split()[0]))
    _note("end", message)


@handler("raising")
@policy(max_attempts=3, backoff=0.2)
def fail(message: Message) -> None:
    """Fail each time."""
    _note("start", message)
    raise RuntimeError(f"cannot do {message.body}")


@handler("flaky")
@policy(backoff=0.2)
def fail_now_and_then(message: Message) -> None:
    """Fail in each odd delivery."""
    _note("start", message)
    if message.rc % 2:
        raise RuntimeError("not yet")
    _note("end", message)


@handler("sending")
def pass_on(message: Message) -> None:
    """Send the body to the queue ``ledger``, over the connections of the worker."""
    _note("start", message)
    send_message("ledger", message.body)
    _work_for(0.05)
    _note("end", message)


@handler("parsing")
@policy(max_attempts=2, backoff=0.1)
def parse(message: Message) -> None:
    """Write the length of the body and parse it as JSON, which may fail in any way that parsing can."""
    write(os.environ[LEDGER_VARIABLE], "start", message.id, message.rc, str(len(message.body)))
    json.loads(message.body)
    write(os.environ[LEDGER_VARIABLE], "end", message.id, message.rc, str(len(message.body)))


@handler("limited")
@policy(timeout=1, max_attempts=2, backoff=0.2)
def stay_within_a_second(message: Message) -> None:
    """Take the seconds in the body, at least one."""
    _note("start", message)
    _work_for(float(message.body))
    _note("end", message)


@handler("hard")
def do_something_hard(message: Message) -> None:
    """``kill``: kill the own process; ``lock N``: hold the interpreter lock for N seconds; ``close``: close
    all descriptors, so that the process can neither wake a thread nor settle; else take a moment.
    """
    _note("start", message)
    word, _, rest = message.body.partition(" ")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "lock":
        # A call through PyDLL keeps the lock, like C code that never releases it.
        ctypes.PyDLL(None).sleep(int(rest))
    elif word == "close":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
        os.closerange(3, 65_536)
        return
    else:
        _work_for(0.01)
    _note("end", message)


@handler("choosing")
@policy(max_attempts=5)
def choose(message: Message, context: Context) -> None:
    """Snooze twice, retry once, then end as the first word of the body asks."""
    _note("start", message)
    _work_for(0.002)
    if context.releases < 2:
        raise Snooze(0.05)
    if context.attempt == 1:
        raise RetryIn(0.05, "once")
    if message.body.startswith("give up"):
        raise GiveUp("as it was told")
    _note("end", message)


@handler("unique")
@policy(unique="until_done", key=lambda body: body.split()[0])
def rebuild(message: Message) -> None:
    """Take a moment. The first word of the body is the key."""
    _note("start", message)
    _work_for(0.03)
    _note("end", message)


@handler("stoppable")
def work_until_stopped(message: Message, context: Context) -> None:
    """``deaf N``: take N seconds; else work until it is asked to stop."""
    _note("start", message)
    word, _, seconds = message.body.partition(" ")
    if word == "deaf":
        _work_for(float(seconds))
    else:
        while not context.is_cancelled:
            _work_for(0.02)
        raise InterruptedError("it was asked to stop")
    _note("end", message)


@handler("stoppable-async")
async def wait_until_cancelled(message: Message) -> None:
    """Wait for a minute."""
    _note("start", message)
    await asyncio.sleep(60)
    _note("end", message)


@handler("keyed")
@policy(concurrency=2, key=lambda body: body.split()[1])
def work_beside_one_other(message: Message) -> None:
    """Take the seconds in the first word of the body. The second word is the key."""
    wait(message)


@handler("narrow")
@policy(concurrency=2)
def work_in_a_narrow_queue(message: Message) -> None:
    """Take the seconds in the first word of the body."""
    wait(message)


@handler("paced")
@policy(rate="10/s")
def start_at_a_pace(message: Message) -> None:
    """Take the seconds in the first word of the body."""
    wait(message)


@handler("once")
@policy(max_attempts=1)
def run_once(message: Message) -> None:
    """``kill``: kill the own process; else do nothing."""
    _note("start", message)
    if message.body == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    _note("end", message)
