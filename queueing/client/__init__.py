"""RSMQ's methods in Python, on the same Redis layout, and more than RSMQ has.

Parameters, defaults, results, the order of checks and the error texts of the ten RSMQ methods are
those of the npm package ``rsmq`` 0.12.4. RSMQ's defects (a ghost message after a deletion, a repeated
send, a phantom that is delivered for ever) are avoided without leaving the layout.
"""

from .operations import QueueClient
from .rsmq import RSMQClient

__all__ = ["QueueClient", "RSMQClient"]
