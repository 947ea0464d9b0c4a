"""RSMQ's methods in Python, on the same Redis layout, and what its users have missed.

Parameters, defaults, results, the order of checks and the error texts of the ten RSMQ methods are
those of the npm package ``rsmq`` 0.12.4. Where RSMQ has a defect (a ghost message after a deletion, a
repeated send, a phantom delivered for ever), ours does better without leaving the layout.
"""

from .cancels import Cancels
from .deletes import Deletes
from .looks import Looks
from .progress import ProgressNotes
from .receives import Receives
from .repairs import Repairs
from .samples import Samples
from .schedules import Schedules
from .sends import Sends
from .service import Service
from .steering import Steering
from .sweeps import Sweeps
from .workers import Workers

__all__ = ["QueueClient"]


class QueueClient(
    Schedules,
    Sends,
    Receives,
    Deletes,
    Cancels,
    Looks,
    Steering,
    Sweeps,
    Repairs,
    ProgressNotes,
    Samples,
    Workers,
    Service,
):
    """The queues of one namespace on one Redis.

    Threads and forks may share it, before and after its first call: each process has connections,
    senders' numbers and a listener of its own. Every method raises ``QueueUnavailable`` if Redis is
    away.
    """
