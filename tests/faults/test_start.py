"""A worker that cannot start reports why and ends. If its processes die at their start, it backs off."""

import time
from collections.abc import Callable

import psutil

from queueing.client import QueueClient
from tests.faults.stillborn_app import EXIT_CODE
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def test_an_import_error_in_a_handler_module_is_reported_once_and_ends_the_worker(
    client: QueueClient, worker: Callable[..., WorkerProcess]
):
    client.create_queue("ledger")
    with worker("ledger", env={"TEST_APPS": "tests.faults.broken_app"}) as process:
        assert process.wait() == 1
        assert process.output.count("no_such_module_anywhere") <= 2, "its name, and its line in the traceback"
        assert "ModuleNotFoundError" in process.output
        assert process.members() == []


def test_processes_that_die_at_their_start_are_replaced_at_growing_intervals(
    client: QueueClient, worker: Callable[..., WorkerProcess]
):
    client.create_queue("ledger")
    started = time.monotonic()
    with worker("ledger", env={"TEST_APPS": "tests.faults.stillborn_app"}) as process:
        died = f"child .* exited with code {EXIT_CODE}"
        deaths = eventually(lambda: process.logged(died)[2:] and process.logged(died), of=process)
        seconds = time.monotonic() - started
        assert (deaths[2] - deaths[0]).total_seconds() > 2, "each wait was twice the last one"
        assert process.output.count("the keeper died") < 2 * seconds + 2
        assert len(process.lines) < 20 + 4 * seconds
        cpu = psutil.Process(process.pid).cpu_times()
        assert cpu.user + cpu.system < seconds, "it waits, it does not spin"
        process.terminate()
        assert process.wait() == 0, process.tail()
    assert client.queue_figures(["ledger"])[0].running == 0
