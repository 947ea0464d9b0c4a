"""What strikes when: drawn from the seed alone, so that a seed tells the whole run again."""

import random
from dataclasses import dataclass

#: Seconds between one blow and the next; a blow may last longer, so they overlap.
PAUSE_SECONDS = (0.3, 1.6)
LAST_SECONDS = (0.4, 4.0)
#: Before the first one.
CALM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault: of which kind, when, on which worker, for how long, and what else it may choose by."""

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
    """The blows of a run of so many seconds."""
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
