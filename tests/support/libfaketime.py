"""libfaketime: lets the wall clock of one program be wrong, and its monotonic clock be right."""

from pathlib import Path

from .programs import absent

HINT = "apt-get install faketime"
PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def clock_off(offset: str) -> dict[str, str | None]:
    """The environment of a program whose clock is ``offset`` away, as in ``+1h`` or ``-1h``."""
    found = [path for place in PLACES for path in Path("/").glob(place.removeprefix("/"))]
    if not found:
        absent(f"libfaketime is missing: {HINT}")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
