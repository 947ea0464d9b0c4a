"""The jobs of programs/common.py as one handler of this queue."""

from benchmarks.peers.programs import common
from queueing.handlers import handler
from queueing.messages import Message

JOBS = {"noop": common.stamp, "nap": common.nap}


@handler("bench")
def run(message: Message) -> None:
    job, _, text = message.body.partition(" ")
    JOBS[job](text)
