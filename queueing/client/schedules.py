"""Schedules in Redis: which there are, how far they are, and the tick that sends exactly once."""

import json
from collections.abc import Sequence

from queueing.broker import decode, rsmq_values
from queueing.broker.idempotency import random_tails
from queueing.messages import Draft, ScheduleState, Ticked, Timing
from queueing.scheduling import triggers

from .base import checked
from .sends import Sends

#: A worker that has not named a schedule for so long has left.
LEFT_MS = 60_000
#: A schedule that no worker has named for so long is forgotten.
FORGOTTEN_MS = 7 * 86_400_000
#: Characters of a timetable that are looked at: no code has a longer one.
MAX_EXPRESSION = 500


class Schedules(Sends):
    """What workers, the console and a terminal do with schedules."""

    def schedules(self) -> list[ScheduleState]:
        """All schedules that workers have named in the last week, by name.

        Those that cannot be read are left out: ``spoilt_schedules`` names them.
        """
        now_ms, stored = self._stored_schedules()
        states = [_state(name, decode.record(text), now_ms) for name, text in stored if text]
        return sorted(states, key=lambda state: state.name)

    def spoilt_schedules(self) -> list[str]:
        """The names of schedules in whose place another program has left something else."""
        return sorted(name for name, text in self._stored_schedules()[1] if not text)

    def _stored_schedules(self) -> tuple[int, list[tuple[str, bytes]]]:
        now_ms, *pairs = self.scripts.run("list_schedules", [self.keys.schedules()])
        return int(now_ms), list(zip(map(decode.text, pairs[::2]), pairs[1::2], strict=True))

    def pause_schedule(self, name: str) -> None:
        """Let its ticks pass without a message. Raises ``ScheduleNotFound``."""
        self._set_paused(name, "1")

    def resume_schedule(self, name: str) -> None:
        """Let it go on from now; the ticks of the pause are not made up for. Raises ``ScheduleNotFound``."""
        self._set_paused(name, "")

    def name_schedules(
        self, timings: Sequence[Timing], *, first: bool, born_ms: int = 0
    ) -> tuple[int, list[int | None]]:
        """Tell Redis that there are these schedules.

        Returns the server's ms epoch and for each schedule the ms up to which its ticks are settled.
        That is now for a schedule that is new or begins again with another timetable, and ``None`` if
        younger workers have another timetable for it. ``first``: this worker names them for the first
        time; later it passes the epoch that it got then as ``born_ms``.
        """
        args = [rsmq_values.encode(part) for timing in timings for part in _texts(timing)]
        limits = ("" if first else born_ms, LEFT_MS, FORGOTTEN_MS)
        now_ms, *settled = self.scripts.run("name_schedules", [self.keys.schedules()], *limits, *args)
        return int(now_ms), [int(ms) if ms else None for ms in settled]

    def tick(self, timing: Timing, settled_ms: int, until_ms: int, drafts: Sequence[Draft]) -> Ticked:
        """Send ``drafts`` for the ticks after ``settled_ms`` up to ``until_ms``, once.

        If anybody was faster, nothing is sent. May be repeated after any error. Raises
        ``QueueNotFound``, ``MessageTooLong``, ``QueueFull``; then nothing has changed.
        """
        wanted = {
            "name": timing.name,
            "expression": timing.expression,
            "time_zone": timing.time_zone,
            "settled": str(settled_ms),
        }
        own = (until_ms, json.dumps(wanted, ensure_ascii=False).encode())
        tails = random_tails(len(drafts))
        keys, args = self._put(timing.queue, drafts, self.keys.schedules(), own, tails)
        word, now_ms, settled, id = checked(self.scripts.run("tick", keys, *args))
        return Ticked(word.decode(), int(now_ms), int(settled), id.decode())

    def _set_paused(self, name: str, paused: str) -> None:
        keys = [self.keys.schedules()]
        checked(self.scripts.run("pause_schedule", keys, rsmq_values.encode(name), paused))


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
    """0 if there is none, or if the text is one that only other code can read."""
    if len(timing.expression) > MAX_EXPRESSION:
        return 0
    try:
        return triggers.read(timing.expression, timing.time_zone).after(ms) or 0
    except (ValueError, OverflowError):
        return 0
