"""How long to wait before a message is tried again, in seconds."""

import random

BASE_SECONDS = 2.0
CAP_SECONDS = 3600.0


def exponential(attempt: int, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """Seconds after the given attempt (from 1): doubling, with jitter of half either way.

    The jitter keeps what failed together from coming back together.
    """
    return min(cap, base * 2 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.5)
