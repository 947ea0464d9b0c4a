"""A handler whose program starts another one and ends before it."""

import subprocess

from queueing.handlers import handler
from queueing.messages import Message
from tests.faults.app.handlers import _note


@handler("orphaning")
def leave_an_orphan(message: Message) -> None:
    """Write the exit status of the program, which must be the program's own."""
    _note("start", message)
    done = subprocess.run(["sh", "-c", "sleep 0.2 & exit 3"], check=False)
    if done.returncode == 3:
        _note("end", message)
