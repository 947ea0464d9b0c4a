from queueing.handlers import handler
from queueing.messages import Message

from .stamps import stamp


@handler("plain")
def nothing(message: Message) -> None:
    stamp()
