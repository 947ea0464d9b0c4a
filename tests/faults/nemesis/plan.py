"""The plan of faults, drawn from the seed alone, so that a seed repeats the whole run."""

import random
from dataclasses import dataclass

#: Seconds between one fault and the next. A fault may last longer, so faults overlap.
PAUSE_SECONDS = (0.3, 1.6)
LAST_SECONDS = (0.4, 4.0)
#: Seconds before the first fault.
CALM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault: its kind, time, worker and duration, and a number for further random choices."""

    kind: str
    at_seconds: float
    worker: int
    lasts_seconds: float
    share: float

    def __str__(self) -> str:
        return (
            f"after {self.at_seconds:.2f} s: {self.kind} (worker {self.worker}, {self.lasts_seconds:.1f} s)"
        )


def draw(seed: int, seconds: float, kinds: list[str], workers: int) -> list[Blow]:
    """The faults of a run of ``seconds`` seconds."""
    chance = random.Random(seed)
    blows: list[Blow] = []
    at_seconds = CALM_SECONDS
    while at_seconds < seconds:
        blows.append(
            Blow(
                kind=chance.choice(kinds),
                at_seconds=at_seconds,
                worker=chance.randrange(workers),
                lasts_seconds=chance.uniform(*LAST_SECONDS),
                share=chance.random(),
            )
        )
        at_seconds += chance.uniform(*PAUSE_SECONDS)
    return blows
