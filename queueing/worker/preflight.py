"""The check before a worker starts: whether its database owns the outbox.

A process of its own asks, because a database may hang, and the supervisor has one thread and no connection.
If Redis or the database does not answer, the worker starts, and its recorder finds out later.
"""

import logging
import os
import signal

from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import NotOwner
from queueing.history import ownership

from .database import close_database
from .waker import readable

logger = logging.getLogger("queueing.worker")

#: How long the start of a worker waits for the answers.
PATIENCE_SECONDS = 3.0
#: The exit code of the asking process if the outbox belongs to another project.
REFUSED = 3


def refusal(config: Config) -> NotOwner | None:
    """Why a worker must not start, if there is a reason."""
    close_database()
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        return None  # The supervisor tries again to fork; the recorder checks the owner, too.
    if not pid:
        _ask(config)
    os.close(write)
    # The pipe ends with the process that asks.
    if not readable([read], PATIENCE_SECONDS):
        os.kill(pid, signal.SIGKILL)
    os.close(read)
    _, status = os.waitpid(pid, 0)
    return NotOwner(config.NAMESPACE) if os.waitstatus_to_exitcode(status) == REFUSED else None


def _ask(config: Config) -> None:
    """Ask in the forked process, and end it."""
    code = 0
    try:
        if not ownership.is_mine(connect(config, connections=1)):
            code = REFUSED
    except BaseException as error:
        logger.debug("the owner of the outbox was not checked: %s", error)
    finally:
        logging.shutdown()
        os._exit(code)
