"""Splits long sequences into parts that Redis or a database takes in one call."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def slices(
    items: Iterable[Item], size_of: Callable[[Item], int], *, size: int, count: int = 0
) -> Iterator[list[Item]]:
    """Split items, in order, into lists with at most ``count`` items and a total size of at most ``size``.

    With a ``count`` of 0, the number of items is not limited. An item that is larger than ``size`` gets a
    list of its own.
    """
    together: list[Item] = []
    sum_of_sizes = 0
    for item in items:
        item_size = size_of(item)
        if together and (len(together) == count or sum_of_sizes + item_size > size):
            yield together
            together, sum_of_sizes = [], 0
        together.append(item)
        sum_of_sizes += item_size
    if together:
        yield together
