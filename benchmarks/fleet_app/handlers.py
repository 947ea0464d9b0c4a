"""One handler for each queue of the fleet. It records how long its message has waited, and sleeps."""

import os
import time

from queueing.handlers import handler
from queueing.messages import Message

FILE = os.open(os.environ.get("STAMPS", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
JOB_SECONDS = float(os.environ.get("JOB_MS", "20")) / 1000


def work(sent_ns: str) -> None:
    os.write(FILE, b"%d\n" % (time.monotonic_ns() - int(sent_ns)))
    time.sleep(JOB_SECONDS)


def run(message: Message) -> None:
    work(message.body)


for number in range(int(os.environ.get("FLEET_QUEUES", "0"))):
    handler(f"queue{number}")(run)
