"""The client: RSMQ's methods in Python on RSMQ's Redis layout, and further methods.

The ten RSMQ methods have the parameters, defaults, results, order of checks and error texts of the npm
package ``rsmq`` 0.12.4. The client avoids RSMQ's defects without a change of the layout: a ghost message
after a deletion, a message that is sent twice, and a phantom that is delivered for ever.
"""

from .async_client import AsyncQueueClient
from .queue_client import QueueClient

__all__ = ["AsyncQueueClient", "QueueClient"]
