"""Tasks of the tests. Each run of a noting one leaves a line in the ledger, if there is one."""

import asyncio
import builtins
import os
import signal
import threading

from queueing.context import current
from queueing.tasks import GiveUp, RetryIn, Snooze, policy, progress, task
from tests.support.ledger import LEDGER_VARIABLE, write


def _note(event: str) -> None:
    context = current.get()
    if LEDGER_VARIABLE in os.environ and context:
        write(os.environ[LEDGER_VARIABLE], event, *context.receipt, context.queue)


def patiently(error, result):
    """A back-off that the options name."""
    return 40.0 + result.attempts


@task
def add(a, b=1):
    return a + b


@task
async def add_async(a, b=1):
    await asyncio.sleep(0)
    return a + b


@task
def lengthen():
    return "x" * 5000


@task
def measure(text):
    return len(text)


@task(takes_context=True)
def tell(context, word="?"):
    result = context.task_result
    return {
        "word": word,
        "id": result.id,
        "attempt": context.attempt,
        "errors": len(result.errors),
        "priority": result.task.priority,
        "queue": result.task.queue_name,
    }


@policy(max_attempts=3, backoff=0.05)
@task(takes_context=True)
def succeed_at(context, attempt):
    if context.attempt < attempt:
        raise LookupError(f"not at attempt {context.attempt}")
    return context.attempt


@policy(max_attempts=3, backoff=600)
@task(takes_context=True)
async def succeed_at_async(context, attempt):
    await asyncio.sleep(0)
    return await _reached(context, attempt)


@policy(max_attempts=3, backoff=600)
@task(takes_context=True)
def succeed_at_decorated(context, attempt):
    """As a plain decorator around an async function: not a coroutine function, yet it returns a coroutine."""
    return _reached(context, attempt)


async def _reached(context, attempt):
    if context.attempt < attempt:
        raise LookupError(f"not at attempt {context.attempt}")
    return context.attempt


@policy(max_attempts=1)
@task
def generate():
    yield 1


@task
@policy(max_attempts=2, backoff=lambda error, result: 0.05 * result.attempts)
def fail(text):
    raise ValueError(text)


@policy(max_attempts=1)
@task
async def fail_async(text):
    raise ValueError(text)


def _circular():
    found = []
    found.append(found)
    return found


def _deep():
    found = []
    for _ in range(100_000):
        found = [found]
    return found


class Hostile(dict):
    def items(self):
        raise LookupError("no items")


NONSENSE = {
    "lock": threading.Lock,
    "set": lambda: {1},
    "not a number": lambda: float("nan"),
    "infinity": lambda: [float("inf")],
    "huge number": lambda: 10**5000,
    "circle": _circular,
    "deep list": _deep,
    "tuple as a key": lambda: {(1, 2): 3},
    "bytes": lambda: b"\xff",
    "too long": lambda: "x" * 1_000_001,
    "raises": Hostile,
}


@task
def return_nonsense(kind):
    _note("start")
    return NONSENSE[kind]()


@task
async def return_nonsense_async(kind):
    return NONSENSE[kind]()


@task
def wait(seconds):
    _note("start")
    threading.Event().wait(seconds)
    _note("end")
    return "rested"


@policy(max_attempts=1, timeout=0.3)
@task
async def dawdle():
    await asyncio.sleep(60)


@policy(max_attempts=1, timeout=0.3)
@task
def sleep_long():
    threading.Event().wait(60)


@policy(max_attempts=1)
@task
def die_once():
    os.kill(os.getpid(), signal.SIGKILL)


@task
def die():
    _note("start")
    os.kill(os.getpid(), signal.SIGKILL)


@task
def note(word=""):
    _note("start")
    _note("end")
    return word


@task
def advance():
    progress(0.5, "half")
    return "done"


def _choose(word):
    raise {
        "give up": GiveUp("as it was told"),
        "retry": RetryIn(90, "as it was told"),
        "snooze": Snooze(3600),
    }[word]


@policy(max_attempts=2)
@task
def choose(word):
    _choose(word)


@policy(max_attempts=2)
@task
async def choose_async(word):
    await asyncio.sleep(0)
    _choose(word)


@policy(retry_on=ConnectionError)
@task
def raise_one(name):
    raise getattr(builtins, name)


@task
def stop_itself():
    context = current.get()
    assert not context.is_cancelled
    assert stop_itself.get_backend().stop(context.message.id, reason="not wanted")
    assert context.is_cancelled
    raise InterruptedError


@policy(concurrency=2, rate="5/min", key=lambda customer, **rest: customer)
@task
def call_api(customer, path="/"):
    return path


@policy(concurrency=1)
@task
def rebuild():
    return "rebuilt"
