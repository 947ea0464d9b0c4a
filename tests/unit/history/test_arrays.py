"""Times that PostgreSQL gets as numbers are those that Python makes of the same ms."""

import random
from datetime import UTC, datetime, timedelta

from queueing.broker.decode import moment
from queueing.history.arrays import microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_times_are_rounded_as_python_rounds_them():
    # An outcome that is recorded again is recognised by its time, to the microsecond.
    dice = random.Random(15)
    times = [dice.uniform(*around) for around in ((1.7e12, 1.9e12), (1, 2.5e14)) for _ in range(20_000)]
    assert microseconds(times) == [(moment(ms) - EPOCH) // timedelta(microseconds=1) for ms in times]


def test_a_missing_time_stays_missing():
    assert microseconds([1500.0, None]) == [1_500_000, None]
