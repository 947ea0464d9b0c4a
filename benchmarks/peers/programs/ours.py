"""This queue: `runworker` with the history on. Unlike the peers it runs in the project's environment."""

import os
import sys

import django
from django.core.management import call_command

from benchmarks.peers.programs import common
from queueing import get_client

QUEUE = "bench"


def setup() -> None:
    call_command("migrate", verbosity=0)
    get_client().create_queue(QUEUE)


def work(processes: int, threads: int) -> None:
    options = ["--processes", str(processes), "--threads", str(threads)]
    os.execv(sys.executable, [sys.executable, "manage.py", "runworker", QUEUE, *options])


if __name__ == "__main__":
    django.setup()
    common.main(
        send=lambda job, text: get_client().send_message(QUEUE, f"{job} {text}"),
        send_many=lambda job, texts: get_client().send_messages(QUEUE, [f"{job} {text}" for text in texts]),
        work=work,
        setup=setup,
    )
