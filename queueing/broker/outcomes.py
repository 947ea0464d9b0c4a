"""States of messages, outcomes of deliveries, and the format of outcomes in the outbox.

Before a worker settles messages, it packs the outcomes, so that the settle script writes them to the outbox
in the same atomic step. If a worker has died, the scripts write the outcomes in a form of their own.
``unpack`` reads both forms.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import repeat
from typing import Any, Self

from django.utils.translation import gettext_lazy

from queueing.messages import sent_ms
from queueing.text.errors import ERROR_CHARACTERS, TRACEBACK_CHARACTERS

from . import decode
from .decode import Unreadable
from .task_body import is_task, name_in

#: The newest format of outbox entries that ``unpack`` reads, also set in ``lua/lib/entries.lua``. ``unpack``
#: reads the previous format, too, because workers of two releases share the outbox during a deploy.
FORMAT = 1
#: The history keeps this many characters of a payload.
BODY_CHARACTERS = 16_384
#: The history keeps this many characters of a task's body, even if the settings turn payloads off, because
#: the arguments of the task are stored only there.
TASK_CHARACTERS = 262_144
#: The defaults of the values after the first nine. Most rows leave these values out.
UNSAID = ("", "", "", "", True, True, 0.0)
#: The least number of values in a row of ``pack``, and in an outcome that a script writes.
FEWEST, FEWEST_OF_ENDING = 9, 5
_LENGTHS = frozenset(range(FEWEST, FEWEST + len(UNSAID) + 1))
#: Limits of one entry: characters of its bodies and results, and bytes of the decompressed entry. A character
#: takes up to six bytes of JSON.
PART_CHARACTERS, ENTRY_BYTES = 8_000_000, 64_000_000
#: RSMQ's limit for the length of a queue name.
QUEUE_CHARACTERS = 160


class State(StrEnum):
    """The state of a message, or the way in which one of its deliveries ended.

    Console, metrics, logs, history and Lua scripts use only these words.
    """

    DELAYED = "delayed", gettext_lazy("delayed")
    READY = "ready", gettext_lazy("ready")
    RUNNING = "running", gettext_lazy("running")
    DONE = "done", gettext_lazy("done")
    RETRYING = "retrying", gettext_lazy("retrying")
    DEAD = "dead", gettext_lazy("dead")
    RELEASED = "released", gettext_lazy("released")
    ABANDONED = "abandoned", gettext_lazy("abandoned")
    LEASE_LOST = "lease lost", gettext_lazy("lease lost")
    GONE = "gone", gettext_lazy("gone")
    CANCELLED = "cancelled", gettext_lazy("cancelled")

    #: The word of the state, translated to the reader's language.
    label: Any

    def __new__(cls, word: str, label: Any = "") -> Self:
        state = str.__new__(cls, word)
        state._value_, state.label = word, label
        return state

    @property
    def ends_delivery(self) -> bool:
        """Whether a delivery can end in this state. The other states describe a message in a queue."""
        return self not in _BEFORE_THE_END

    @property
    def is_final(self) -> bool:
        """Whether the message has left its queue."""
        return self in _FINAL

    @property
    def is_due_later(self) -> bool:
        """Whether the message waits in its queue for its due time."""
        return self in _DUE_LATER

    @property
    def runs_again(self) -> bool:
        """Whether a message stays in the queue and runs again after a delivery that ended in this state."""
        return self in _RUNS_AGAIN

    @property
    def counts_as_failure(self) -> bool:
        """Whether the run failed or crashed."""
        return self in _FAILURES

    @property
    def is_settled(self) -> bool:
        """Whether the queue accepted the outcome. An outcome with an invalid receipt is not accepted."""
        return self.ends_delivery and self not in _REFUSED

    @property
    def was_claimed(self) -> bool:
        """Whether a delivery that ended in this state counts as a run of the code.

        A released or cancelled delivery does not count.
        """
        return self.ends_delivery and self not in _NOT_BEGUN


_BEFORE_THE_END = frozenset({State.DELAYED, State.READY, State.RUNNING})
_FINAL = frozenset({State.DONE, State.DEAD, State.CANCELLED, State.GONE})
_DUE_LATER = frozenset({State.DELAYED, State.RETRYING})
_RUNS_AGAIN = frozenset({State.RETRYING, State.RELEASED, State.ABANDONED})
_FAILURES = frozenset({State.RETRYING, State.DEAD, State.ABANDONED})
_REFUSED = frozenset({State.LEASE_LOST, State.GONE})
_NOT_BEGUN = frozenset({State.RELEASED, State.CANCELLED})
#: The states that the figures of a queue count.
COUNTED = (State.READY, State.DELAYED, State.RUNNING, State.DEAD)
#: The states in which a delivery can end, by their words.
ENDS = {state.value: state for state in State if state.ends_delivery}


@dataclass(slots=True)
class Outcome:
    """The end of one delivery. An outcome is never changed.

    - ``id``, ``rc``: the receipt. If a message is cancelled before it runs, ``rc`` is the count that
      its next delivery would have had.
    - ``event``: the state in which the delivery ended.
    - ``worker``: the name of the child that held the message.
    - ``handler``: the dotted path of the code.
    - ``started_ms``, ``finished_ms``: ms since 1970 by the clock of Redis. ``started_ms`` is ``None`` if the
      code did not run.
    - ``attempts``: the number of runs that returned or raised, including this one.
    - ``crashes``: the number of runs whose process died, including this one.
    - ``body``: the text of the message. ``body_is_whole`` is false if the outbox has cut or omitted the text.
    - ``error``, ``traceback``: the text of the exception, and the stack. Without an exception, ``error`` may
      be a reason, such as that of a crash. ``error_class`` is the dotted path of the exception.
    - ``result``: the value that the run returned, as JSON, or ``""``.
    - ``delay_ms``: the back-off before the next attempt.
    - ``due_ms``: the time at which the message became due (ms since 1970), or 0 if it was delivered before.
    - ``is_reported``: whether the process that claimed the message sends the signals for this outcome. If
      not, for example because that process has died, the recorder sends them.
    - ``next_step``: the id and the JSON of the next message of the chain, or ``None``.
    - ``log_fields``, ``exception``: for the log. They stay in the process that ran the code.
    """

    queue: str
    id: str
    rc: int
    event: State
    worker: str
    handler: str = ""
    started_ms: float | None = None
    finished_ms: float = 0.0
    attempts: int = 0
    crashes: int = 0
    body: str = ""
    error: str = ""
    traceback: str = ""
    result: str = ""
    error_class: str = ""
    delay_ms: int = 0
    body_is_whole: bool = True
    is_reported: bool = True
    due_ms: float = 0.0
    next_step: tuple[str, str] | None = None
    log_fields: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    exception: BaseException | None = field(default=None, hash=False, compare=False)


def pack(outcomes: Sequence[Outcome], *, with_bodies: bool) -> bytes:
    """Encode the outcomes of one settle as compressed JSON. Long texts are cut.

    Without ``with_bodies``, only the bodies of tasks are included.
    """
    first = outcomes[0]
    rows = [_row(outcome, with_bodies) for outcome in outcomes]
    text = json.dumps({"queue": first.queue, "worker": first.worker, "rows": rows})
    # The rows are similar: compression leaves a fifth of their size, so the outbox holds five times as many.
    return zlib.compress(text.encode(), 1)


def _row(outcome: Outcome, with_bodies: bool) -> tuple[Any, ...]:
    """The values of one outcome. The values after the ninth are left out if all of them are defaults.

    This is so for most ``done`` outcomes.
    """
    of_task = is_task(outcome.body)
    limit = TASK_CHARACTERS if of_task else BODY_CHARACTERS
    body = outcome.body if with_bodies or of_task else ""
    row: tuple[Any, ...] = (
        outcome.id, outcome.rc, outcome.event, outcome.handler, outcome.started_ms, outcome.finished_ms,
        outcome.attempts, outcome.crashes, body[:limit],
    )  # fmt: skip
    is_whole = (with_bodies or of_task) and len(body) <= limit
    is_late = outcome.due_ms - sent_ms(outcome.id) >= 1
    if is_whole and not (outcome.error or outcome.traceback or outcome.result or is_late):
        return row
    error, trace = outcome.error[:ERROR_CHARACTERS], outcome.traceback[-TRACEBACK_CHARACTERS:]
    row = (*row, error, trace, outcome.result, outcome.error_class, is_whole, outcome.is_reported)
    return (*row, outcome.due_ms) if is_late else row


def task_numbers(outcomes: Sequence[Outcome]) -> str:
    """The positions of tasks in ``outcomes``, separated by spaces. The first outcome has position 1.

    Returns ``*`` if all outcomes are tasks, and ``""`` if none is.
    """
    numbers = [index for index, outcome in enumerate(outcomes, 1) if is_task(outcome.body)]
    return "*" if len(numbers) == len(outcomes) else " ".join(map(str, numbers))


def parts(outcomes: Sequence[Outcome]) -> Iterator[Sequence[Outcome]]:
    """Split the outcomes of one settle into slices that each fit into one entry of the outbox.

    A slice has one outcome of each message, because an entry names refused outcomes by their ids.
    """
    start, characters, ids = 0, 0, set[str]()
    for index, outcome in enumerate(outcomes):
        size = len(outcome.body) + len(outcome.result)
        is_full = characters + size > PART_CHARACTERS and index > start
        if is_full or outcome.id in ids:
            yield outcomes[start:index]
            start, characters, ids = index, 0, set()
        characters += size
        ids.add(outcome.id)
    yield outcomes[start:]


def unpack(fields: Sequence[bytes], *, max_bytes: int = ENTRY_BYTES) -> list[Outcome]:
    """Decode the outcomes of one outbox entry from its flat list of names and values.

    Raises ``Unreadable``, also if the decompressed entry is larger than ``max_bytes``.
    """
    pairs = list(zip(fields[::2], fields[1::2], strict=False))
    entry = dict(pairs)
    if b"packed" in entry:
        return _settled(entry, max_bytes)
    bodies = [(value, name == b"body") for name, value in pairs if name in (b"body", b"cut")]
    ended = decode.record(entry.get(b"ended", b""), max_bytes=max_bytes)
    return list(_ended(ended, decode.fraction(entry.get(b"ms", b"")), bodies))


def _settled(entry: Mapping[bytes, bytes], max_bytes: int) -> list[Outcome]:
    text = decode.inflated(entry[b"packed"], max_bytes=max_bytes)
    packed = decode.record(text, max_bytes=max_bytes)
    queue, worker = _queue_in(packed), packed.text("worker")
    refused = _refused_in(entry.get(b"refused", b""), max_bytes)
    rows = packed.values("rows")
    if not ({list}.issuperset(map(type, rows)) and _LENGTHS.issuperset(map(len, rows))):
        raise Unreadable("a row of it has too few or too many values")
    if not rows:
        return []
    # Whole columns are checked, because each row of the history passes here. Single checks take longer.
    columns = zip(*[(*row, *UNSAID[len(row) - FEWEST :]) for row in rows], strict=True)
    ids, rcs, words, handlers, started, finished, attempts, crashes, bodies, *rest = columns
    errors, traces, results, classes, whole, reported, due = rest
    _check_texts(*ids, *handlers, *bodies, *errors, *traces, *results, *classes)
    _check_counts(*rcs, *attempts, *crashes)
    _check_times(*finished, *due, *(ms for ms in started if ms is not None))
    outcomes = map(
        Outcome, repeat(queue), ids, map(int, rcs), map(_end, words), repeat(worker), handlers, started,
        finished, map(int, attempts), map(int, crashes), bodies, errors, traces, results, classes, repeat(0),
        [is_whole is True for is_whole in whole], [is_reported is not False for is_reported in reported], due,
    )  # fmt: skip
    if not refused:
        return list(outcomes)
    reasons = decode.record(entry.get(b"stopped", b"{}"), max_bytes=max_bytes).all_texts()
    return [_refusal(one, refused[one.id], reasons) if one.id in refused else one for one in outcomes]


def _refusal(outcome: Outcome, end: State, reasons: Mapping[str, str]) -> Outcome:
    """The outcome with ``end``, the state that the settle script has decided, instead of its own state.

    ``reasons`` has the reason of the stop for each stopped message, by id. The reason becomes the error.
    """
    return replace(outcome, event=end, error=reasons.get(outcome.id, outcome.error))


def _refused_in(text: bytes, max_bytes: int) -> dict[str, State]:
    refusals = decode.json(text, max_bytes=max_bytes)
    if not refusals:  # Lua writes an empty list as {}.
        return {}
    if not isinstance(refusals, list) or len(refusals) % 2:
        raise Unreadable("its list of refusals does not consist of pairs")
    _check_texts(*refusals)
    return dict(zip(refusals[::2], map(_end, refusals[1::2]), strict=True))


def _ended(ended: decode.Record, finished_ms: float, bodies: list[tuple[bytes, bool]]) -> Iterator[Outcome]:
    worker, queue = ended.text("lane").partition(" ")[0], _queue_in(ended)
    endings = ended.values("endings")
    if len(endings) != len(bodies):
        raise Unreadable("it does not have one body for each ending")
    for ending, (body, is_whole) in zip(endings, bodies, strict=True):
        if not isinstance(ending, list) or len(ending) < FEWEST_OF_ENDING:
            raise Unreadable("an ending in it has too few values")
        id, rc, event, failed, crashes, *started = ending
        _check_texts(id)
        _check_counts(rc, failed, crashes)
        end, text = _end(event), _cut_text(body)
        yield Outcome(
            queue, id, int(rc), end, worker, name_in(text),
            started_ms=decode.number(started[0]) or None if started else None,
            finished_ms=finished_ms, attempts=int(failed), crashes=int(crashes), body=text,
            error="" if end == State.RELEASED else ended.text("reason"),
            body_is_whole=is_whole, is_reported=False,
        )  # fmt: skip


def _queue_in(packed: decode.Record) -> str:
    queue = packed.text("queue")
    if not queue or len(queue) > QUEUE_CHARACTERS:
        raise Unreadable("it does not name a queue")
    return queue


def _check_texts(*values: Any) -> None:
    if not {str}.issuperset(map(type, values)):
        raise Unreadable("a value in it that should be a text is not one")


def _check_times(*times: Any) -> None:
    limit = decode.MAX_INTEGER
    if not ({int, float}.issuperset(map(type, times)) and -limit <= min(times) and max(times) <= limit):
        raise Unreadable("a time in it is not a number")


def _end(word: Any) -> State:
    if isinstance(word, str) and (end := ENDS.get(word)):
        return end
    raise Unreadable("the end of a delivery in it has an unknown word")


def _check_counts(*counts: Any) -> None:
    # Python's integers have no limit, unlike those of Lua and the database.
    if not ({int, float}.issuperset(map(type, counts)) and min(counts) >= 0 and max(counts) < math.inf):
        raise Unreadable("a count in it is not a number that is zero or more")


def _cut_text(body: bytes) -> str:
    """Decode a body that a script recorded. A last character that was cut in half is left out."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        is_cut_through = error.end == len(body) and error.reason == "unexpected end of data"
        return decode.text(body[: error.start if is_cut_through else None])
