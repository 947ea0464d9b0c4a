"""Handlers that start processes. A fork's line in the ledger has the fork's process number."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from queueing.handlers import handler, policy
from queueing.messages import Message
from tests.faults.app.handlers import _note
from tests.support.ledger import LEDGER_VARIABLE, write

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

#: Seconds that a handler waits for a fork that should have ended.
PATIENCE_SECONDS = 20.0

_kept: list[Any] = []


def _say(event: str, message: Message, body: str) -> None:
    write(os.environ[LEDGER_VARIABLE], event, message.id, message.rc, body)


def _end_of(pid: int) -> str:
    """Exit status of a process, or a note that it did not end."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return str(os.waitstatus_to_exitcode(status))
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return "not ended"


async def _say_later(message: Message) -> None:
    _say("awaited", message, "by a fork")


def _leave(how: str) -> None:
    """The ways in which a fork leaves the handler."""
    if how == "raise":
        raise ValueError("in the fork")
    if how == "exit":
        sys.exit(3)


@handler("forking")
@policy(max_attempts=1)
def fork(message: Message) -> object:
    """The fork leaves the handler as the body says."""
    _note("start", message)
    how, _, then = message.body.partition(" then ")
    pid = os.fork()
    if not pid:
        _say("fork", message, how)
        return _say_later(message) if how == "return a coroutine" else _leave(how)
    _say("end", message, _end_of(pid))
    if then == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return None


@handler("forking-crashes")
def fork_and_die(message: Message) -> None:
    """The process is killed after the fork has returned."""
    _note("start", message)
    pid = os.fork()
    if pid:
        _end_of(pid)
        os.kill(os.getpid(), signal.SIGKILL)


@handler("forking-database")
@policy(max_attempts=1)
def fork_in_a_transaction(message: Message) -> None:
    """The fork leaves the transaction of its parent, which then commits."""
    _note("start", message)
    with transaction.atomic():
        Group.objects.create(name=f"before {message.body}")
        pid = os.fork()
        if not pid:
            _say("fork", message, message.body)
            return _leave(message.body)
        ended = _end_of(pid)
        Group.objects.create(name=f"after {message.body}")
    _say("end", message, ended)
    return None


@handler("forking-async")
@policy(max_attempts=1)
async def fork_a_coroutine(message: Message) -> None:
    _note("start", message)
    pid = os.fork()
    if not pid:
        _say("fork", message, message.body)
        if message.body == "await":
            await asyncio.sleep(0)
            await asyncio.get_running_loop().create_future()
        if message.body == "yield":
            await _Pause()
        return _leave(message.body)
    _say("end", message, await asyncio.to_thread(_end_of, pid))
    return None


class _Pause:
    """Yield to the loop once, without asking for the running loop."""

    def __await__(self):
        yield


@handler("ticking-async")
async def tick(message: Message) -> None:
    """Write each step to the ledger, so that a second process that runs the steps becomes visible."""
    _note("start", message)
    for number in range(int(message.body)):
        _say("tick", message, str(number))
        await asyncio.sleep(0.005)
    _note("end", message)


@handler("pooling")
@policy(max_attempts=1)
def leave_a_pool_early(message: Message) -> None:
    _note("start", message)
    context = multiprocessing.get_context("fork")
    if message.body == "pool":
        with context.Pool(1) as pool:
            pool.apply_async(time.sleep, (600,))
    else:
        process = context.Process(target=time.sleep, args=(600,))
        process.start()
        process.terminate()
        process.join()
        assert process.exitcode == -signal.SIGTERM
    _note("end", message)


@handler("keeping-pools")
def keep_pools(message: Message) -> None:
    """Keep pools for the next message, two of each kind. Their processes hold each other's pipes."""
    _note("start", message)
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        if message.body == "executors":
            _kept.append(ProcessPoolExecutor(1, mp_context=context))
            pid = _kept[-1].submit(os.getpid).result()
        else:
            _kept.append(context.Pool(1))
            pid = _kept[-1].apply(os.getpid)
        _say("program", message, str(pid))
    _note("end", message)


@handler("interrupting")
@policy(max_attempts=1)
def interrupt_a_fork(message: Message) -> None:
    """The fork gets SIGINT, like any Python program."""
    _note("start", message)
    process = multiprocessing.get_context("fork").Process(target=_be_interrupted)
    process.start()
    process.join(PATIENCE_SECONDS)
    _say("end", message, str(process.exitcode))


def _be_interrupted() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        os._exit(7)
    os._exit(0)


PROGRAMS = {
    "plain": ["sleep", "600"],
    "under a shell": ["sh", "-c", "sleep 600 & wait"],
    "left by a shell": ["sh", "-c", "sleep 600 & sleep 600"],
}


@handler("programs")
@policy(timeout=600, max_attempts=1)
def wait_for_a_program(message: Message) -> None:
    """``how: kind``: wait for a program, or kill the own process meanwhile."""
    _wait_for_a_program(message)


@handler("limited-programs")
@policy(timeout=1, max_attempts=2, backoff=0.2)
def wait_too_long_for_a_program(message: Message) -> None:
    _wait_for_a_program(message)


def _wait_for_a_program(message: Message) -> None:
    how, _, kind = message.body.partition(": ")
    _note("start", message)
    own = kind == "in a session of its own"
    program = subprocess.Popen(PROGRAMS.get(kind, PROGRAMS["plain"]), start_new_session=own)
    _say("program", message, str(program.pid))
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "wait":
        program.wait()
    _note("end", message)
