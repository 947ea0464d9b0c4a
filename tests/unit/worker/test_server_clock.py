"""The clock of Redis as a worker knows it: replies that take their time do not turn it back."""

from random import Random

import pytest

from queueing.worker.server_clock import ServerClock

EPOCH_MS = 1_800_000_000_000.0


class Machine:
    """This machine's clock, and a Redis whose clock runs at ``rate`` and answers after some time."""

    def __init__(self, rate: float = 1.0) -> None:
        self.here_ms, self.rate, self.shift_ms = 5000.0, rate, 0.0

    def clock(self) -> float:
        return self.here_ms / 1000

    @property
    def server_ms(self) -> float:
        return EPOCH_MS + self.here_ms * self.rate + self.shift_ms

    def answer(self, to: ServerClock, *, after_ms: float) -> None:
        said_ms = self.server_ms
        self.here_ms += after_ms
        to.set(said_ms)


def test_a_slow_reply_does_not_turn_the_clock_back():
    machine = Machine()
    known = ServerClock(machine.clock)
    machine.answer(known, after_ms=0.1)
    started_ms = known.now_ms()

    machine.answer(known, after_ms=4.0)

    assert known.now_ms() >= started_ms + 3.9


@pytest.mark.parametrize("rate", [0.9999, 1.0, 1.0001])
def test_it_never_runs_back_and_stays_near_a_clock_of_another_rate(rate: float):
    machine, random = Machine(rate), Random(7)
    known = ServerClock(machine.clock)
    before_ms = 0.0
    for _reply in range(5000):
        machine.answer(known, after_ms=random.choice([0.2, 0.3, 5.0, 80.0]))
        assert known.now_ms() >= before_ms
        before_ms = known.now_ms()
        machine.here_ms += random.uniform(0, 4500)
    machine.answer(known, after_ms=0.2)
    assert abs(known.now_ms() - machine.server_ms) < 10


@pytest.mark.parametrize("shift_ms", [-3_600_000, -5000, 5000, 3_600_000])
def test_a_clock_that_was_set_is_followed(shift_ms: float):
    machine = Machine()
    known = ServerClock(machine.clock)
    machine.answer(known, after_ms=0.2)
    machine.shift_ms = shift_ms
    machine.answer(known, after_ms=0.2)
    assert abs(known.now_ms() - machine.server_ms) < 1
