"""The check before a worker starts: whether its database owns the outbox.

A process of its own asks, because a database may hang, and the supervisor has one thread and no connection.
If Redis or the database does not answer, the worker starts, and its recorder finds out later.
"""

import logging
import os
import signal
import time

from .. import ownership
from ..conf import Conf
from ..connections import connect
from ..exceptions import NotOwner
from .database import close_database

logger = logging.getLogger("queueing.worker")

#: How long the start of a worker waits for the answers.
PATIENCE_SECONDS = 3.0
LOOK_SECONDS = 0.01
#: How the asking process says that the outbox is another project's.
REFUSED = 3


def refusal(conf: Conf) -> NotOwner | None:
    """Why a worker must not start, if there is a reason."""
    close_database()
    try:
        pid = os.fork()
    except OSError:
        return None  # The supervisor tries again to fork; the recorder looks at the owner, too.
    if not pid:
        _ask(conf)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return NotOwner(conf.NAMESPACE) if os.waitstatus_to_exitcode(status) == REFUSED else None
        time.sleep(LOOK_SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _ask(conf: Conf) -> None:
    """Ask in the forked process, and end it."""
    code = 0
    try:
        if not ownership.is_mine(connect(conf, connections=1)):
            code = REFUSED
    except BaseException as error:
        logger.debug("the start was not looked at: %s", error)
    finally:
        logging.shutdown()
        os._exit(code)
