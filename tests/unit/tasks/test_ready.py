"""The result that ``enqueue`` returns is the one that Django's constructor makes."""

import enum
from collections import OrderedDict, UserDict, deque
from dataclasses import FrozenInstanceError, fields

import pytest

from queueing.tasks import compat, ready
from queueing.tasks.compat import TaskResult, TaskResultStatus

from .app import tasks


class Word(str):
    pass


class Level(enum.IntEnum):
    HIGH = 2


NESTED = [1, "a", None, 2.5, True, [1, (2, b"c")], {"d": {"e": deque([3])}}]


@pytest.mark.parametrize(
    "args", [(), ("a", 1, 2.5, True, None), [1, "a"], NESTED, (Word("a"), Level.HIGH, b"b")]
)
@pytest.mark.parametrize(
    "kwargs", [{}, {"a": 1, "b": None}, {"a": NESTED}, {b"a": 1}, OrderedDict(a=(1, 2)), UserDict(a=1)]
)
def test_a_new_result_equals_that_of_djangos_constructor(args, kwargs):
    made = ready.new_result(tasks.add, "default", args, kwargs)
    djangos = TaskResult(
        task=tasks.add, id="", status=TaskResultStatus.READY, enqueued_at=None, started_at=None,
        finished_at=None, last_attempted_at=None, args=args, kwargs=kwargs, backend="default", errors=[],
        worker_ids=[],
    )  # fmt: skip
    assert type(made) is TaskResult
    assert made == djangos
    assert repr(made) == repr(djangos)
    assert made.args is not args
    assert made.kwargs is not kwargs


def test_a_new_result_has_all_fields_of_djangos_class_and_is_frozen():
    made = ready.new_result(tasks.add, "default", [1, 2], {})
    assert all(hasattr(made, field.name) for field in fields(TaskResult))
    with pytest.raises(FrozenInstanceError):
        made.id = "a"


def test_only_receivers_of_the_project_count_as_its_own(monkeypatch):
    def receiver(**_):
        pass

    signal = compat.signals.task_enqueued
    # Receivers of other tests, which nobody has disconnected, stay in the list after their end.
    monkeypatch.setattr(signal, "receivers", [])
    assert not compat.has_own_receivers()
    signal.connect(compat.signals.log_task_enqueued)
    assert not compat.has_own_receivers()
    signal.connect(receiver)
    assert compat.has_own_receivers()
    signal.disconnect(receiver)
    assert not compat.has_own_receivers()
