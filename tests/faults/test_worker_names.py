"""The list of workers shows each worker under any name, and keeps one whose supervisor was killed."""

import signal

import pytest

from queueing.monitoring import alerts
from queueing.monitoring.workers import read_workers
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .scene import Scene
from .test_kills_of_parts import keeper_of
from .test_signals import as_process_1, supervisor_of


def states(scene: Scene) -> dict[str, str]:
    return {worker.name: worker.state for worker in read_workers(scene.client.session)}


def listed(scene: Scene, count: int, process: WorkerProcess) -> list[str]:
    """The names in the list as soon as it has ``count`` of them."""
    return sorted(eventually(lambda: len(states(scene)) == count and states(scene), of=process))


@pytest.mark.parametrize("named", ["by their option", "as process 1 of two containers"])
def test_two_workers_of_one_name_are_both_shown_until_each_stops(scene: Scene, named: str):
    if named == "by their option":
        first, second = (scene.worker("slow", "--name", "same") for _ in range(2))
    else:
        first, second = (as_process_1(scene.worker("slow")) for _ in range(2))
    with first, second:
        names = listed(scene, 2, first)
        [given_name] = {name.split("#")[0] for name in names}
        stopped = second if named == "by their option" else supervisor_of(second)
        stopped.terminate()
        assert second.wait() == 0, second.tail()
        assert list(states(scene)) == [given_name]
        stopped = first if named == "by their option" else supervisor_of(first)
        stopped.terminate()
        assert first.wait() == 0, first.tail()
    assert states(scene) == {}


@pytest.mark.django_db  # the alerts ask for the owner of the history
def test_a_worker_whose_supervisor_is_killed_stays_in_the_list_as_lost(scene: Scene):
    message_id = scene.send("2 running")
    with scene.worker("slow", "--name", "w") as process:
        scene.begun(message_id, process)
        process.kill_supervisor()
        eventually(lambda: states(scene) == {"w": "lost"}, what=lambda: str(states(scene)))
        [worker] = read_workers(scene.client.session)
        assert [run.id for child in worker.children for run in child.running] == [message_id]
        eventually(lambda: not process.members(), what=process.tail)
    [worker] = read_workers(scene.client.session)
    assert (worker.state, worker.children, worker.is_alive) == ("lost", (), False)
    assert "lost worker" in {alert.kind for alert in alerts.read(scene.client, [])}
    assert scene.diary.outcomes(message_id) == [(1, "done")]

    with scene.worker("slow", "--name", "w") as second:
        listed(scene, 2, second)
        kinds = {alert.kind for alert in alerts.read(scene.client, [])}
        assert not {"lost worker", "silent worker"} & kinds, "it was started again"
        second.signal(signal.SIGTERM)
        assert second.wait() == 0


def test_a_worker_whose_keeper_dies_with_its_supervisor_stays_in_the_list(scene: Scene):
    message_id = scene.send("1 running")
    with scene.worker("slow", "--name", "w") as process:
        scene.begun(message_id, process)
        listed(scene, 1, process)
        keeper = keeper_of(process, scene.ledger)
        process.kill_supervisor()
        keeper.kill()
        eventually(lambda: not process.members(), what=process.tail)
    assert list(states(scene)) == ["w"]
