"""The process that starts one worker for each partition."""

import os
from dataclasses import replace

from queueing.conf import Config
from queueing.worker.fleet import Fleet
from tests.support.waiting import eventually


class BriefFleet(Fleet):
    """A fleet whose workers end at once, as those of a burst without messages."""

    def _live(self, config: Config) -> None:
        os._exit(0)


def test_a_burst_ends_with_its_last_worker():
    config = replace(Config(), burst=True)
    fleet = BriefFleet(config, [config, config])
    pauses: list[float] = []
    eventually(lambda: pauses.append(fleet.step(fleet.clock())) or all(m.is_over for m in fleet.members))
    assert pauses[-1] == 0.0, "the fleet would wait before it ends"
