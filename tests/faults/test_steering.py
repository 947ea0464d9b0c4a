"""Queues are paused, purged and deleted while their jobs run."""

from tests.support.waiting import eventually

from .scene import Scene


def test_running_jobs_of_a_paused_queue_end_and_none_begins_until_it_is_resumed(scene: Scene):
    scene.client.create_queue("ledger")
    running = scene.send("1 running")
    with scene.worker("slow", "ledger") as process:
        scene.begun(running, process)
        scene.client.pause_queue("slow")
        waiting = scene.send("0 waiting")
        scene.done(process, running)
        # The round begins with the paused queue, so the worker has checked it.
        scene.done(process, *(scene.client.send_message("ledger", "another queue") for _ in range(2)))
        assert waiting not in scene.ledger.ids()
        scene.client.resume_queue("slow")
        scene.done(process, waiting)
    scene.invariants.check(faults=0, drained=["slow", "ledger"], diary=scene.diary)


def test_a_purge_does_not_touch_running_jobs(scene: Scene):
    running, *waiting = scene.client.send_messages("slow", ["1.5 running", *["0 waiting"] * 2000])
    with scene.worker("slow") as process:
        scene.begun(running, process)
        purged = scene.client.purge_queue("slow")
        scene.invariants.removed(waiting)
        assert len(waiting) - 50 <= purged <= len(waiting), "what this worker holds is spared, too"
        scene.done(process, running)
        after = scene.send("0 after it")
        scene.done(process, after)
    assert scene.diary.outcomes(running) == [(1, "done")]
    scene.ledger.assert_all_ended([running, after], faults=0)
    assert len(scene.ledger.runs()) == 2 + len(waiting) - purged


def test_the_job_of_a_deleted_queue_ends_and_its_worker_creates_the_queue_again(scene: Scene):
    running, waiting = scene.client.send_messages("slow", ["1 running", "0 waiting"])
    with scene.worker("slow") as process:
        scene.begun(running, process)
        scene.client.delete_queue("slow")
        scene.invariants.removed([running, waiting])
        eventually(lambda: running in scene.ledger.ids("end"), of=process)
        process.wait_for_line(f"{running} gone: its outcome was refused")
        eventually(lambda: "slow" in scene.client.list_queues(), of=process)
        after = scene.send("0 after it")
        scene.done(process, after)
        assert process.is_running
    assert scene.diary.row(running)["state"] == "gone"
    assert scene.ledger.runs()[waiting] == 0
