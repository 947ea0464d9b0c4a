"""``manage.py runworker``: parses its options and hands over to the supervisor."""

import re
import socket
import sys
from argparse import ArgumentParser
from dataclasses import replace
from os import getpid
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from queueing import handlers, periodic
from queueing.conf import get_conf
from queueing.exceptions import NoHandler
from queueing.keys import is_dead_letter_queue
from queueing.worker.options import Options
from queueing.worker.supervisor import Supervisor
from queueing.worker.watch import watch


class Command(BaseCommand):
    help = (
        "Process the messages of queues with the handlers that are registered for them. "
        "SIGTERM or Ctrl-C lets running jobs finish."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        conf = get_conf()
        parser.add_argument(
            "queues",
            nargs="*",
            metavar="queue",
            help="queues in order of preference; without any: every queue that has a handler here",
        )
        parser.add_argument(
            "--processes", type=_positive, default=1, help="child processes in which jobs run (default: 1)"
        )
        parser.add_argument(
            "--threads", type=_positive, default=1, help="jobs at a time in each process (default: 1)"
        )
        parser.add_argument(
            "--burst", action="store_true", help="exit as soon as nothing is due and the history is written"
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=conf.GRACE,
            metavar="SECONDS",
            help=f"time for running jobs after SIGTERM; then they are given back (default: {conf.GRACE:g})",
        )
        parser.add_argument(
            "--lease",
            type=float,
            default=conf.LEASE,
            metavar="SECONDS",
            help=f"time after which others take over from a worker that is gone (default: {conf.LEASE:g})",
        )
        parser.add_argument("--name", default="", help="name of this worker (default: host and process)")
        parser.add_argument("--log-jobs", action="store_true", help="a line for every job, however short")
        parser.add_argument("--watch", action="store_true", help="start anew when the code changes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["watch"]:
            watch([argument for argument in sys.argv if argument != "--watch"])
            return
        handlers.discover()
        periodic.schedules()  # what is wrong with one stops the worker here
        chosen = Options(
            queues=_queues(options["queues"]),
            name=_name(options["name"]),
            processes=options["processes"],
            threads=options["threads"],
            burst=options["burst"],
            log_jobs=options["log_jobs"],
        )
        conf = replace(get_conf(), GRACE=max(0.0, options["grace"]), LEASE=max(0.5, options["lease"]))
        raise SystemExit(Supervisor(conf, chosen).run())


def _queues(named: list[str]) -> tuple[str, ...]:
    queues = list(dict.fromkeys(named)) or [q for q in handlers.queues() if not is_dead_letter_queue(q)]
    if not queues:
        raise CommandError(
            "No queue has a handler. Register one in the handlers.py of an installed app: "
            '@handler("testqueue") on a function of one message.'
        )
    known = handlers.queues()
    try:
        for queue in queues:
            if queue not in known:
                handlers.handler_of(queue)
    except NoHandler as error:
        raise CommandError(str(error)) from None
    return tuple(queues)


def _name(wanted: str) -> str:
    # The name is part of Redis fields in which a space ends it.
    return re.sub(r"\s+", "-", wanted.strip()) or f"{socket.gethostname()}-{getpid()}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number
