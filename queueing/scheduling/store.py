"""Lists schedules in Redis, stores their state, and sends the message for each due time (tick) only once."""

import json
from collections.abc import Callable, Sequence

from queueing.broker import decode
from queueing.broker.idempotency import random_tails
from queueing.broker.scripts import Call
from queueing.broker.session import Session, checked
from queueing.client import QueueClient, drafts
from queueing.exceptions import QueueError, QueueUnavailable, ScheduleNotFound
from queueing.messages import Draft, ScheduleState, Ticked, Timing

from . import triggers

#: If a schedule is not registered for this long, the workers that have registered it count as stopped.
LEFT_MS = 60_000
#: A schedule that no worker has registered for this long is deleted.
FORGOTTEN_MS = 7 * 86_400_000
#: A stored timetable with more characters is not read. No code registers a longer one.
MAX_EXPRESSION = 500


def schedules(session: Session) -> list[ScheduleState]:
    """The schedules in Redis, sorted by name. A schedule is deleted if no worker registers it for a week.

    Unreadable schedules are left out. ``spoilt_schedules`` returns their names.
    """
    now_ms, stored = _stored(session)
    states = [_state(name, decode.record(text), now_ms) for name, text in stored if text]
    return sorted(states, key=lambda state: state.name)


def all_schedules(client: QueueClient) -> list[ScheduleState]:
    """The schedules of all partitions, sorted by name."""
    states = [state for part in client.parts for state in schedules(part.session)]
    return sorted(states, key=lambda state: state.name)


def on_schedule(act: Callable[[Session, str], None], client: QueueClient, name: str) -> None:
    """Call ``act`` (for example ``pause_schedule``) for the schedule ``name`` in each partition that has it.

    After the queue of a schedule has moved, the old partition has the schedule for another week. Raises
    ``ScheduleNotFound`` if no partition has the schedule. Raises ``QueueUnavailable`` if a partition does not
    answer and the others do not have it.
    """
    is_found, refusal = False, QueueError()
    for part in client.parts:
        try:
            act(part.session, name)
            is_found = True
        except (ScheduleNotFound, QueueUnavailable) as error:
            if not isinstance(refusal, QueueUnavailable):
                refusal = error
    if not is_found:
        raise refusal


def spoilt_schedules(session: Session) -> list[str]:
    """The names of schedules whose stored state another program has overwritten."""
    return sorted(name for name, text in _stored(session)[1] if not text)


def pause_schedule(session: Session, name: str) -> None:
    """Pause a schedule: no message is sent when it is due. Raises ``ScheduleNotFound``."""
    checked(session.call(Call("pause_schedule", [session.keys.schedules()], name, "1")))


def resume_schedule(session: Session, name: str) -> None:
    """Resume a schedule. No message is sent for the time of the pause. Raises ``ScheduleNotFound``."""
    checked(session.call(Call("pause_schedule", [session.keys.schedules()], name, "")))


def name_schedules(
    session: Session, timings: Sequence[Timing], *, born_ms: int | None = None
) -> tuple[int, list[int | None]]:
    """Register the schedules of this worker.

    Returns the present time of Redis, and the settled time of each schedule: all ticks (due times) up to this
    time have been sent or skipped. All times are ms since 1970.

    If the schedule or its timetable is new, the settled time is the present time. After a rollback to the
    earlier timetable, the settled time remains the same. If workers that started later register another
    timetable, that timetable applies, and the settled time is ``None``.

    ``born_ms`` is the time that the first registration of this worker returned, ``None`` for that
    registration.
    """
    parts = [part for timing in timings for part in _texts(timing)]
    limits = ("" if born_ms is None else born_ms, LEFT_MS, FORGOTTEN_MS)
    now_ms, *settled = session.call(Call("name_schedules", [session.keys.schedules()], *limits, *parts))
    return int(now_ms), [int(ms) if ms else None for ms in settled]


def tick(
    session: Session, timing: Timing, settled_ms: int, until_ms: int, messages: Sequence[Draft]
) -> Ticked:
    """Send ``messages`` for the ticks (due times) after ``settled_ms`` up to ``until_ms``, exactly once.

    Nothing is sent if, for example, another worker has already sent these messages, or the schedule is
    paused: ``word`` of the result is the reason. The call may be repeated after any error. If it raises
    ``QueueNotFound``, ``MessageTooLong`` or ``QueueFull``, nothing has changed.
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
    """The next tick after ``ms``, in ms since 1970.

    Returns 0 if there is no next tick, or if this release cannot parse the timetable.
    """
    if len(timing.expression) > MAX_EXPRESSION:
        return 0
    try:
        return triggers.read(timing.expression, timing.time_zone).after(ms) or 0
    except (ValueError, OverflowError):
        return 0
