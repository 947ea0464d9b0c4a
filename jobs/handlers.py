"""The handlers of the site: the code that runs for the messages of each queue."""

import logging
import time

from queueing.handlers import handler
from queueing.messages import Message

logger = logging.getLogger(__name__)

#: The duration of a run. It is long enough for the page to show that the message is running.
WORK_SECONDS = 0.4


@handler("testqueue")
def say(message: Message) -> None:
    """Log the text of the message. It is quoted, because anyone who can reach the queue can send any text."""
    logger.info("%s says %r", message.id, message.body)
    time.sleep(WORK_SECONDS)
