"""One reading for all viewers."""

import threading

import pytest
from django.utils import translation

from queueing.exceptions import QueueUnavailable
from queueing.resilience.single_flight import SingleFlight
from tests.support.threads import Threads


class Source:
    """Counts how often it is read; its clock is the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.read: list[str] = []
        self.is_away = False

    def __call__(self, key: str) -> str:
        self.read.append(key)
        if self.is_away:
            raise QueueUnavailable("Redis does not answer (TimeoutError)")
        return f"{key} {len(self.read)}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def shared(source: Source) -> SingleFlight[str, str]:
    return SingleFlight(source, seconds=1.0, most=2, clock=lambda: source.now)


def test_within_a_second_it_is_read_once(source: Source, shared: SingleFlight[str, str]) -> None:
    shared.get("a")
    source.now += 0.9

    reading = shared.get("a")

    assert (reading.value, round(reading.age_seconds, 3)) == ("a 1", 0.9)
    assert source.read == ["a"]


def test_results_with_texts_are_read_in_each_language(source: Source) -> None:
    shared = SingleFlight(source, has_texts=True, clock=lambda: source.now)
    for language in ("de", "fr", "de"):
        with translation.override(language):
            shared.get("a")

    assert source.read == ["a", "a"]


def test_after_a_second_it_is_read_again(source: Source, shared: SingleFlight[str, str]) -> None:
    shared.get("a")
    source.now += 1

    assert shared.get("a").value == "a 2"


def test_a_forgotten_value_is_read_again(source: Source, shared: SingleFlight[str, str]) -> None:
    shared.get("a")
    shared.forget()

    assert shared.get("a").value == "a 2"


def test_each_key_has_its_own(source: Source, shared: SingleFlight[str, str]) -> None:
    assert [shared.get(key).value for key in "abab"] == ["a 1", "b 2", "a 1", "b 2"]


def test_the_keys_asked_for_last_are_remembered(source: Source, shared: SingleFlight[str, str]) -> None:
    for key in "abac":
        shared.get(key)

    shared.get("a")
    shared.get("b")

    assert source.read == ["a", "b", "c", "b"]


def test_that_redis_is_away_is_remembered_too_and_then_asked_again(
    source: Source, shared: SingleFlight[str, str]
) -> None:
    source.is_away = True
    for _ in range(3):
        with pytest.raises(QueueUnavailable, match="TimeoutError"):
            shared.get("a")
    assert source.read == ["a"]

    source.is_away = False
    source.now += 1
    assert shared.get("a").value == "a 2"


def test_threads_that_ask_meanwhile_wait_for_the_same_answer() -> None:
    begun, go_on = threading.Event(), threading.Event()
    read: list[str] = []

    def slow(key: str) -> int:
        read.append(key)
        begun.set()
        go_on.wait(60)
        return len(read)

    shared: SingleFlight[str, int] = SingleFlight(slow, seconds=60)
    with Threads(5) as viewers:
        found = [viewers.submit(shared.get, "a") for _ in range(5)]
        assert begun.wait(60)
        go_on.set()
        assert [future.result(60).value for future in found] == [1] * 5
    assert read == ["a"]
