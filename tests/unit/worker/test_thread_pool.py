"""A handler thread lives as long as its child."""

import ctypes
import sys
import threading

import pytest

from queueing.handlers import handler
from queueing.worker.processor import Processor
from tests.support.waiting import eventually

from .parts import Child


class Late(BaseException):
    """The exception of a time limit that a project has made itself."""


def throw_into(thread: threading.Thread) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Late))


def waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames()[thread.ident]
    return frame.f_code.co_qualname == "Condition.wait"


@pytest.mark.parametrize("count", [1, 2])
def test_an_exception_that_is_thrown_into_an_idle_thread_does_not_end_it(client, count):
    client.create_queue("q")
    ran = []
    handler("q")(lambda message: ran.append(message.id))
    before = set(threading.enumerate())
    child = Child(client, "q", threads=count)
    threads = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("handler")]
    for _ in range(3):
        eventually(lambda: all(map(waits, threads)))
        for thread in threads:
            throw_into(thread)
        sent, ran[:] = client.send_messages("q", ["x"] * 4), []
        child.turn_until(lambda: sorted(ran) == sorted(sent))  # noqa: B023
    assert all(thread.is_alive() for thread in threads)
    child.finish()


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_that_ends_a_handler_thread_ends_its_child(client, count, monkeypatch):
    client.create_queue("q")
    handler("q")(lambda message: None)
    monkeypatch.setattr(Processor, "process", lambda *_: 1 / 0)
    child = Child(client, "q", threads=count)
    client.send_message("q", "x")
    child.turn_until(lambda: child.pool.unfinished)
    raised = []

    def run() -> None:
        with pytest.raises(ZeroDivisionError):
            child.pool.lead.run(lambda: threading.Event().wait(0.01), lambda: False)
        raised.append(True)

    threading.Thread(target=run, daemon=True).start()
    eventually(lambda: raised)
    child.listener.close()
