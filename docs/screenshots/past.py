"""An invented month for the charts of the pictures."""

import json
import math
import random
from bisect import bisect_left

from queueing.broker.timings import BOUNDS_SECONDS
from queueing.client import QueueClient

#: Name of a field, its minutes, and their number: see ``queueing/broker/lua/lib/metrics.lua``.
LEVELS = (("m", 1, 70), ("t", 20, 75), ("h", 120, 87), ("e", 480, 95))
#: Messages per minute, share that fails, seconds of a run.
BUSINESS = {"emails": (90, 0.03, 0.05), "thumbnails": (40, 0.01, 0.3), "testqueue": (12, 0.0, 0.4)}


def write(client: QueueClient, now_ms: int) -> None:
    """Write the month into the counters of each queue. Workers add their counts to it."""
    chance = random.Random(7)
    for queue, (per_minute, failing, run_seconds) in BUSINESS.items():
        fields: dict[str, str] = {"since": str(now_ms - 31 * 86_400_000)}
        for level, minutes, count in LEVELS:
            newest = now_ms // 60_000 // minutes - 1
            for number in range(newest - count, newest + 1):
                sums = _sums(chance, number * minutes, minutes, per_minute, failing, run_seconds)
                fields[f"{level}{number}"] = json.dumps(sums)
        client.redis.hset(client.keys.metrics(queue), mapping=fields)


def _sums(
    chance: random.Random, minute: int, minutes: int, per_minute: float, failing: float, run_seconds: float
) -> dict[str, float]:
    """The counts of ``minutes`` minutes: more by day than by night, with a peak now and then."""
    hour = minute / 60 % 24
    rush = 1.6 if math.sin(minute / 13) > 0.9 else 1.0
    busy = per_minute * (0.65 + 0.35 * math.sin((hour - 8) / 24 * 2 * math.pi)) * rush
    done = int(minutes * busy * chance.uniform(0.85, 1.15))
    failed = int(done * failing * chance.uniform(0, 3 if rush > 1 else 1.5))
    waiting = done / minutes * (rush - 1) * chance.uniform(0.5, 1) if rush > 1 else chance.uniform(0, 3)
    sums: dict[str, float] = {
        "sent": done, "left": done, "done": done, "retrying": failed, "dead": failed // 6,
        "max_ready": int(waiting), "max_running": chance.randint(1, 4),
        "max_latency_ms": int(1000 * waiting / (busy / 60 + 0.1)),
    }  # fmt: skip
    for prefix, typical in (("r", run_seconds), ("w", 0.004 + waiting / (busy / 20 + 1))):
        total = 0.0
        for part in (0.5, 0.3, 0.15, 0.05):
            seconds = typical * chance.lognormvariate(0, 0.5)
            name = f"{prefix}{bisect_left(BOUNDS_SECONDS, seconds)}"
            sums[name] = sums.get(name, 0) + int((done + failed) * part)
            total += seconds * (done + failed) * part
        sums["run_ms" if prefix == "r" else "wait_ms"] = round(1000 * total, 3)
    return sums
