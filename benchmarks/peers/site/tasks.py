"""The jobs of programs/common.py as tasks of Django."""

from benchmarks.peers.programs import common
from benchmarks.peers.programs.ours import QUEUE
from queueing.tasks import task

noop = task(queue_name=QUEUE)(common.stamp)
nap = task(queue_name=QUEUE)(common.nap)
