"""The client: RSMQ's methods in Python on RSMQ's Redis layout, and further methods.

The ten RSMQ methods have the parameters, defaults, results, order of checks and error texts of the npm
package ``rsmq`` 0.12.4. The layout is the same, but the client avoids three defects of RSMQ: an id without a
body after a deletion, a message that is sent twice, and a deleted message that is delivered again and again.
"""

from .async_client import AsyncQueueClient
from .queue_client import QueueClient

__all__ = ["AsyncQueueClient", "QueueClient"]
