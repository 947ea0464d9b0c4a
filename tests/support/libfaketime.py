"""libfaketime: shifts the wall clock of one program, but not its monotonic clock.

Version 0.9.10 still makes ``time.sleep`` fail with EINVAL, because Python sleeps until a moment of the
monotonic clock.
"""

from pathlib import Path

from .programs import absent

HINT = "apt-get install faketime"
PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def clock_off(offset: str) -> dict[str, str | None]:
    """Environment of a program whose wall clock is off by ``offset``, such as ``+1h`` or ``-1h``."""
    found = [path for place in PLACES for path in Path("/").glob(place.removeprefix("/"))]
    if not found:
        absent(f"libfaketime is missing: {HINT}")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        # By default, libfaketime also shifts the end of timed waits for a condition on the monotonic clock.
        # Python's threads wait for the interpreter lock that way: they would spin, and stop each other at
        # each step.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
