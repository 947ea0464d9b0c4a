"""The tests' own watch for a machine that stands still."""

import signal
import sys
import time

from tests.support.program import Program
from tests.support.waiting import eventually

WATCHING = """
import time
from tests.support.stalls import Stalls
from tests.support.waiting import eventually

with Stalls() as stalls:
    began = time.time()
    print("began", flush=True)
    eventually(lambda: stalls.seconds(began, time.time()))
    until = time.time()
    print(until - began, stalls.awake(began, until))
"""


def test_the_time_of_a_stall_is_not_counted():
    with Program([sys.executable, "-c", WATCHING], name="watching") as program:
        program.wait_for_line("began")
        program.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        eventually(lambda: time.monotonic() > stopped + 2)
        program.signal(signal.SIGCONT)
        assert program.wait() == 0, program.tail()
    lasted, awake = map(float, program.lines[-1].split())
    assert lasted >= 2
    assert 0 < awake <= lasted - 1.9
