"""Return values that are not yet a result: something to await, or code that has not run."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from inspect import isawaitable
from typing import Any

#: Objects that only promise to run some code, with the words for them.
_LAZY = {
    Generator: "a generator",
    AsyncGenerator: "an async generator",
    map: "a map object",
    filter: "a filter object",
}


class NothingRan(Exception):
    """A function returned an object whose code runs only if somebody iterates over it."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"the function returned {kind}, whose code has not run: iterate over it inside the function"
        )


def is_pending(value: Any) -> bool:
    """Whether a value has to be awaited."""
    return isawaitable(value) or isinstance(value, Future)


async def awaited(value: Any) -> Any:
    """The value behind any number of awaitables, as decorators nest them."""
    while is_pending(value):
        value = await (asyncio.wrap_future(value) if isinstance(value, Future) else value)
    return value


def refuse_lazy(value: Any) -> None:
    """Raises ``NothingRan`` for a generator and its kind."""
    for kind, words in _LAZY.items():
        if isinstance(value, kind):
            raise NothingRan(words)
