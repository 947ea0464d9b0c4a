"""Schedules in Redis: which there are, how far they are, and the tick that sends exactly once."""

import json
from collections.abc import Sequence

from queueing.broker import decode
from queueing.broker.idempotency import random_tails
from queueing.broker.scripts import Call
from queueing.broker.session import Session, checked
from queueing.client import drafts
from queueing.messages import Draft, ScheduleState, Ticked, Timing

from . import triggers

#: The workers that name a schedule have left if none has named it for this long.
LEFT_MS = 60_000
#: A schedule that no worker has named for this long is forgotten.
FORGOTTEN_MS = 7 * 86_400_000
#: Characters of a timetable that are read: no code has a longer one.
MAX_EXPRESSION = 500


def schedules(session: Session) -> list[ScheduleState]:
    """All schedules that workers have named in the last week, by name.

    Those that cannot be read are left out: ``spoilt_schedules`` names them.
    """
    now_ms, stored = _stored(session)
    states = [_state(name, decode.record(text), now_ms) for name, text in stored if text]
    return sorted(states, key=lambda state: state.name)


def spoilt_schedules(session: Session) -> list[str]:
    """The names of schedules whose place another program has overwritten."""
    return sorted(name for name, text in _stored(session)[1] if not text)


def pause_schedule(session: Session, name: str) -> None:
    """Let its ticks pass without a message. Raises ``ScheduleNotFound``."""
    checked(session.call(Call("pause_schedule", [session.keys.schedules()], name, "1")))


def resume_schedule(session: Session, name: str) -> None:
    """Let it go on from now; the ticks of the pause are not made up for. Raises ``ScheduleNotFound``."""
    checked(session.call(Call("pause_schedule", [session.keys.schedules()], name, "")))


def name_schedules(
    session: Session, timings: Sequence[Timing], *, born_ms: int | None = None
) -> tuple[int, list[int | None]]:
    """Store these schedules of this worker.

    Returns the server's ms epoch and for each schedule the ms up to which its ticks are settled.
    That is now for a schedule that is new or begins again with another timetable, and ``None`` if
    younger workers have another timetable for it. ``born_ms`` is the epoch that this worker got when it
    named them for the first time, ``None`` then.
    """
    parts = [part for timing in timings for part in _texts(timing)]
    limits = ("" if born_ms is None else born_ms, LEFT_MS, FORGOTTEN_MS)
    now_ms, *settled = session.call(Call("name_schedules", [session.keys.schedules()], *limits, *parts))
    return int(now_ms), [int(ms) if ms else None for ms in settled]


def tick(
    session: Session, timing: Timing, settled_ms: int, until_ms: int, messages: Sequence[Draft]
) -> Ticked:
    """Send ``messages`` for the ticks after ``settled_ms`` up to ``until_ms``, once.

    If another worker was faster, nothing is sent. May be repeated after any error. Raises
    ``QueueNotFound``, ``MessageTooLong``, ``QueueFull``; then nothing has changed.
    """
    wanted = {
        "name": timing.name,
        "expression": timing.expression,
        "time_zone": timing.time_zone,
        "settled": str(settled_ms),
    }
    call = drafts.put(
        "tick", session.keys, timing.queue, messages,
        tails=random_tails(len(messages)), key=session.keys.schedules(),
        own=(until_ms, json.dumps(wanted, ensure_ascii=False)),
    )  # fmt: skip
    word, now_ms, settled, id = checked(session.call(call))
    return Ticked(word.decode(), int(now_ms), int(settled), id.decode())


def _stored(session: Session) -> tuple[int, list[tuple[str, bytes]]]:
    now_ms, *pairs = session.call(Call("list_schedules", [session.keys.schedules()]))
    return int(now_ms), list(zip(map(decode.text, pairs[::2]), pairs[1::2], strict=True))


def _texts(timing: Timing) -> tuple[str, ...]:
    return timing.name, timing.expression, timing.time_zone, timing.queue, timing.missed


def _state(name: str, known: decode.Record, now_ms: int) -> ScheduleState:
    timing = Timing(name, *map(known.text, ("expression", "time_zone", "queue", "missed")))
    settled_ms, paused = int(known.text("settled")), known.text("paused") == "1"
    return ScheduleState(
        timing=timing,
        paused=paused,
        settled_ms=settled_ms,
        next_ms=_next_ms(timing, max(settled_ms, now_ms) if paused else settled_ms),
        last_tick_ms=int(known.text("tick")),
        last_id=known.text("id"),
        seen_ms=int(known.text("seen")),
        now_ms=now_ms,
    )


def _next_ms(timing: Timing, ms: int) -> int:
    """0 if there is none, or if only other code can read the text."""
    if len(timing.expression) > MAX_EXPRESSION:
        return 0
    try:
        return triggers.read(timing.expression, timing.time_zone).after(ms) or 0
    except (ValueError, OverflowError):
        return 0
