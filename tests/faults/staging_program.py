"""A program that commits transactions with staged messages, and kills itself at a step: ``STEP COUNT``.

The row of a group is written in each transaction, so its existence shows that the transaction was committed.
"""

import os
import signal
import sys

import django

django.setup()

from django.contrib.auth.models import Group  # noqa: E402
from django.db import transaction  # noqa: E402

import queueing  # noqa: E402
from queueing.transactional import sending, staging  # noqa: E402
from queueing.worker.relay import Relay  # noqa: E402

#: Messages of one transaction.
EACH = 3


def die(*_: object, **options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def commit(number: int, at_end=lambda: None) -> None:
    """One transaction."""
    with transaction.atomic():
        ids = [queueing.send_message("brisk", f"{number}", via="database") for _ in range(EACH)]
        Group.objects.create(name=" ".join(ids))
        at_end()


def main(step: str, count: int) -> None:
    """Commit, and die at the last transaction."""
    if step == "never sent" or step.startswith("relay"):
        staging._send = lambda *_: None
    for number in range(count - 1):
        commit(number)
    if step == "before the commit":
        commit(count, die)
    if step == "after the commit":
        staging._send = die
    if step == "after the send":
        sending._delete = die
    if step == "after the delete":
        sending._report = die
    if step.startswith("relay"):
        commit(count)
        relay(step)
    commit(count)


def relay(step: str) -> None:
    """A relay that dies at its first turn that sends."""
    if step == "relay before the send":
        sending.send = die
    if step == "relay after the send":
        sending._delete = die
    if step == "relay after the delete":
        sending.acknowledge = die
    relay = Relay(queueing.get_client(), ["default"], name="killed")
    while True:
        relay.step()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
