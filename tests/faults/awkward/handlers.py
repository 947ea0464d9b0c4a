"""Handlers that end as their body says: each body is another mistake that a project can make."""

import asyncio
import os
import sys

from queueing.handlers import handler, policy
from tests.support.ledger import LEDGER_VARIABLE, write


class ExitsAsText(Exception):
    """An exception that ends the thread that asks for its text."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


def _exit_as_back_off(error: BaseException, attempt: int) -> float:
    sys.exit("no back-off")


async def _leave(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def _end(kind: str) -> None:
    if kind == "long":
        raise ValueError("x" * 10_000_000)
    if kind == "exit":
        sys.exit("no configuration")
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "text":
        raise ExitsAsText
    if kind == "generator exit":
        raise GeneratorExit


@handler("awkward")
@policy(max_attempts=2, backoff=0.1)
def end(message) -> None:
    """End as the body says."""
    _end(message.body)


@handler("awkward-async")
@policy(max_attempts=2, backoff=0.1)
async def end_async(message) -> None:
    """End as the body says, within an asyncio task of its own."""
    if message.body == "loop":
        loop = asyncio.get_running_loop()
        loop.stop()
        loop.run_forever = loop.close
        await asyncio.sleep(60)
    error = KeyboardInterrupt() if message.body == "interrupt" else SystemExit(message.body)
    await asyncio.gather(asyncio.sleep(60), _leave(error))


@handler("awkward-back-off")
@policy(max_attempts=2, backoff=_exit_as_back_off)
def end_twice(message) -> None:
    """Fail; the back-off function fails, too."""
    _end(message.body)


@handler("fine-async")
async def do_well(message) -> None:
    """Need the event loop for a moment."""
    for event in ("start", "end"):
        await asyncio.sleep(0.01)
        write(os.environ[LEDGER_VARIABLE], event, message.id, message.rc, message.body)
