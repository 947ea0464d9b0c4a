"""The list of a worker's queues, which its processes share."""

import os

import pytest

from queueing.worker.queues import SPARE_BYTES, Queues


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_that_was_forked_before_sees_what_is_added_later():
    queues = Queues(["mail", "post"])
    told, tell = os.pipe()
    heard, hear = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(told, 1)
        os.write(hear, ",".join(queues).encode() + b" %d" % queues.numbers["crowd"])
        os._exit(0)
    assert queues.add(["post", "crowd", "crew"]) == ["crowd", "crew"]
    os.write(tell, b"!")
    os.waitpid(pid, 0)
    assert os.read(heard, 100) == b"mail,post,crowd,crew 2"
    assert [queues[0], queues[-1], len(queues)] == ["mail", "crew", 4]
    for end in (told, tell, heard, hear):
        os.close(end)


def test_what_has_no_room_is_left_out():
    queues = Queues(["mail"])
    many = [f"{number:0160d}" for number in range(1000)]
    added = queues.add(many)
    assert added == many[: SPARE_BYTES // 161]
    assert list(queues) == ["mail", *added]
    assert queues.add(many) == []
