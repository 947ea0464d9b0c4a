"""Single flight: concurrent readers of the same value share one read."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from django.utils.translation import get_language

from queueing.exceptions import QueueUnavailable

from .process_state import ProcessState

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """A value and its age in seconds."""

    value: Value
    age_seconds: float


@dataclass(slots=True)
class _Cell(Generic[Value]):
    """The last result for one key.

    While one thread reads a new result, other threads wait for the lock of the cell.
    """

    lock: Lock = field(default_factory=Lock)
    read_at: float | None = None
    value: Value | None = None
    error: QueueUnavailable | None = None


@dataclass(slots=True)
class _Cells(Generic[Key, Value]):
    """The cached results of a process. The most recently used key is the last."""

    lock: Lock = field(default_factory=Lock)
    by_key: OrderedDict[Key, _Cell[Value]] = field(default_factory=OrderedDict)


class SingleFlight(Generic[Key, Value]):
    """Calls ``read`` at most once every ``seconds`` for each key, even if many threads call ``get``.

    ``QueueUnavailable`` is cached like a result, so that the threads do not each wait for a timeout. Each
    process keeps the results of the keys that were used last, at most ``most`` of them.

    Set ``has_texts`` if the results have texts for people. Then each language has results of its own.
    """

    def __init__(
        self,
        read: Callable[[Key], Value],
        *,
        seconds: float = 1.0,
        most: int = 64,
        has_texts: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read, self._seconds, self._most, self._clock = read, seconds, most, clock
        self._has_texts = has_texts
        self._cells: ProcessState[_Cells[tuple[Key, str | None], Value]] = ProcessState(_Cells)

    def get(self, key: Key) -> Reading[Value]:
        """The value for ``key`` and its age. Raises ``QueueUnavailable`` if ``read`` raised it."""
        cell = self._cell(key)
        with cell.lock:
            if cell.read_at is None or self._clock() - cell.read_at >= self._seconds:
                self._ask(key, cell)
            if cell.error is not None:
                raise _copy(cell.error)
            return Reading(cell.value, max(0.0, self._clock() - cell.read_at))  # type: ignore[arg-type, operator]

    def forget(self) -> None:
        """Drop all results of this process."""
        cells = self._cells.get()
        with cells.lock:
            cells.by_key.clear()

    def _ask(self, key: Key, cell: "_Cell[Value]") -> None:
        try:
            cell.value, cell.error = self._read(key), None
        except QueueUnavailable as error:
            cell.value, cell.error = None, error
        cell.read_at = self._clock()

    def _cell(self, key: Key) -> "_Cell[Value]":
        cells = self._cells.get()
        with cells.lock:
            place = key, get_language() if self._has_texts else None
            cell = cells.by_key.setdefault(place, _Cell())
            cells.by_key.move_to_end(place)
            while len(cells.by_key) > self._most:
                cells.by_key.popitem(last=False)
            return cell


def _copy(error: QueueUnavailable) -> QueueUnavailable:
    """The same error without its traceback, which threads must not share."""
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    return copy
