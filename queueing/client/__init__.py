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
    ProgressNotes,
    Samples,
    Workers,
    Service,
):
    """The queues of one namespace on one Redis.

    Safe to share between threads; it keeps no state but the senders' numbers and the listener of
    those who wait. Every method raises ``QueueUnavailable`` where Redis is away.
    """
