"""The console and ``manage.py queues`` call the same thing by the same word."""

import pytest

from queueing.admin.queues.admin import ACTIONS
from queueing.admin.queues.moves import Cancel
from queueing.admin.schedules import ScheduleAdmin
from queueing.admin.workers import Acknowledge, WorkerAdmin
from queueing.cli import VERBS

IN_THE_TERMINAL = {verb.name for verb in VERBS}


@pytest.mark.parametrize("action", [*ACTIONS, Cancel])
def test_the_words_for_actions_on_a_queue(action: type):
    verb, *_rest = str(action.label).split()  # "send a message"
    assert verb in IN_THE_TERMINAL


@pytest.mark.parametrize(
    ("admin", "noun"), [(ScheduleAdmin, "schedule"), (WorkerAdmin, "worker")], ids=["schedule", "worker"]
)
def test_the_words_for_actions_on_a_row(admin: type, noun: str):
    of_rows = [verb for verb in admin.verbs if verb is not Acknowledge]
    for verb in of_rows:
        assert f"{verb.label} {noun}".lower().replace(" ", "-") in IN_THE_TERMINAL


def test_the_words_for_actions_on_lost_outcomes():
    assert str(Acknowledge.label).lower().replace(" ", "-") in IN_THE_TERMINAL
