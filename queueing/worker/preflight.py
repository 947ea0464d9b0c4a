"""Checks whether a worker may start.

A worker may not start if a newer release has stored the keys in Redis in a format that it does not know, or
if another database than this project's is the owner of the outbox.

The checks run in a separate process, because a database may hang, and the supervisor has one thread and no
connection. If Redis or the database does not answer, the worker starts without these checks, and its recorder
checks the owner later.
"""

import logging
import os
import signal

from queueing.broker.places import main_queue
from queueing.client import QueueClient
from queueing.client.default import connect, connect_all
from queueing.client.relocation import remainders
from queueing.conf import Config, get_conf
from queueing.exceptions import NewerFormat, NotOwner
from queueing.history import ownership

from .database import close_database
from .waker import readable

logger = logging.getLogger("queueing.worker")

#: How long the start of a worker waits for the checks.
PATIENCE_SECONDS = 3.0
#: The exit code of the process that checks, if it has written a reason into the pipe.
REFUSED = 3


def refusal(config: Config) -> str:
    """The reason why a worker must not start, ``""`` if it may start."""
    close_database()
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        return ""  # The supervisor tries again to fork; the recorder checks the owner, too.
    if not pid:
        _ask(config, write)
    os.close(write)
    # The pipe closes when the checking process ends.
    if not readable([read], PATIENCE_SECONDS):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with open(read, encoding="utf-8") as pipe:
        return pipe.read() if os.waitstatus_to_exitcode(status) == REFUSED else ""


def _ask(config: Config, answer: int) -> None:
    """Run the checks in the forked process and exit. Write the reason of a refusal to the pipe ``answer``."""
    code = 0
    try:
        client = connect(config, connections=1)
        client.session.write_format()
        if not ownership.is_mine(client):
            raise NotOwner(config.NAMESPACE)
        _warn_of_remainders(config, client)
    except (NewerFormat, NotOwner) as error:
        os.write(answer, str(error).encode())
        code = REFUSED
    except BaseException as error:
        logger.debug("format and owner of the namespace were not checked: %s", error)
    finally:
        logging.shutdown()
        os._exit(code)


def _warn_of_remainders(config: Config, own: QueueClient) -> None:
    """Log a warning for each of the worker's queues that has messages on another partition."""
    if not config.PARTITIONS:
        return
    queues = {main_queue(queue) for queue in config.queues}
    for one in remainders(connect_all(get_conf(), own).reachable()):
        if one.queue in queues:
            logger.warning(
                "%s: messages on the partition %s: %d, but PLACES puts the queue on %s. Move them with "
                "manage.py queues relocate %s.",
                one.queue, one.partition, one.count, one.place, one.queue,
            )  # fmt: skip
