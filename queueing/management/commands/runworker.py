"""``manage.py runworker``: parses the options and runs the supervisor of a worker."""

import logging
import re
import socket
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import replace
from os import W_OK, access, getpid
from pathlib import Path
from typing import Any

from django.core.checks import Tags, register
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from queueing import handlers, periodic
from queueing.broker.keys import is_dead_letter_queue, low_priority_queue
from queueing.conf import LOG_FORMATS, SETTINGS, Config, get_conf, may_name_backend
from queueing.exceptions import NoHandler
from queueing.worker import stop_signals
from queueing.worker.autoreload import watch
from queueing.worker.fleet import Fleet, by_partition
from queueing.worker.logging import open_outlet, steady, use_json
from queueing.worker.preflight import refusal
from queueing.worker.processes import share_with_forks
from queueing.worker.supervisor import Supervisor

logger = logging.getLogger("queueing.worker")

#: A worker does not run system checks with these tags, nor ``OTHER_CHECKS``. Such checks import the URLs,
#: views and middleware of the website, or query a database, which may hang.
OTHER_TAGS = {
    "admin", Tags.commands, Tags.database, Tags.security, Tags.staticfiles, Tags.templates, Tags.translation,
    Tags.urls,
}  # fmt: skip
OTHER_CHECKS = {"django.contrib.auth.checks.check_middleware"}
#: The tag of the checks that a worker runs.
WORKER_TAG = "worker"
#: The largest weight of a queue, which is its number of turns in a round.
MAX_WEIGHT = 100

HELP = """\
Process the messages of queues with the code that is registered for them.

  manage.py runworker                      every queue for which there is code here
  manage.py runworker urgent mail          two queues, by turns
  manage.py runworker urgent:4 mail        four turns of "urgent" for each of "mail"
  manage.py runworker --strict urgent mail   "mail" only if "urgent" has nothing
  manage.py runworker --processes 2 --threads 8
  manage.py runworker --burst              what is due now, then exit

After SIGTERM, SIGHUP or Ctrl-C the worker starts no new messages. Running messages may finish within the
grace time. Messages that do not finish go back to the head of their queue without counting an attempt. A
second Ctrl-C, or SIGQUIT, gives them back now. A killed worker loses no message: another worker runs its
messages again when its leases have ended.

The default of an option is a key of the setting QUEUEING. Key and value are in brackets.
"""


class Layout(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """A help formatter that keeps Django's order of options and the line breaks of the description."""


class Command(BaseCommand):
    help = HELP

    def run_from_argv(self, argv: list[str]) -> None:
        # Process 1 of a container has no default handlers: a signal during the start would be lost.
        stop_signals.handle(stop_signals.leave_immediately)
        super().run_from_argv(argv)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Select the system checks that concern a worker."""
        for check in registry.get_checks():
            if OTHER_TAGS.isdisjoint(check.tags) and handlers.name_of(check) not in OTHER_CHECKS:
                register(check, WORKER_TAG, *check.tags)
        return {"tags": [WORKER_TAG]}

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = Layout
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        try:
            config = get_conf()
        except ImproperlyConfigured:  # The system checks, which come next, report the problem.
            config = Config()
        parser.add_argument(
            "queues", nargs="*", metavar="QUEUE[:WEIGHT]",
            help=f"queues, each with its turns in a round, 1 to {MAX_WEIGHT} (1)",
        )  # fmt: skip
        parser.add_argument(
            "--strict",
            action="store_true",
            help="serve a queue only while no message is due in the queues before it, instead of by turns",
        )
        _add_capacity(parser, config)
        _add_ending(parser, config)
        _add_output(parser, config)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["watch"]:
            watch([argument for argument in sys.argv if argument != "--watch"])
            return
        config = replace(get_conf(), **{name: value for name, value in options.items() if name in SETTINGS})
        open_outlet()
        if config.LOG_FORMAT == "json":
            use_json()
        steady()
        handlers.discover()
        _refuse_green_threads()
        weights = _weights(options["queues"], strict=options["strict"])
        queues, takes_new_queues = _queues(list(weights))
        if not weights:
            _report_idle(config, queues)
        periodic.schedules()  # A mistake in a schedule ends the worker here.
        config = replace(
            config,
            WORKER_NAME=_name(config.WORKER_NAME),
            HEALTH_FILE=_health_file(config.HEALTH_FILE),
            LEASE=max(0.5, config.LEASE),
            queues=queues,
            weights={queue: weight for queue, weight in weights.items() if weight > 1},
            strict=options["strict"],
            takes_new_queues=takes_new_queues,
            burst=options["burst"],
            parent=options["parent"],
        )
        share_with_forks(config)
        workers = by_partition(config)
        for one in workers:
            if reason := refusal(one):
                raise CommandError(f"{reason}.")
        raise SystemExit(Supervisor(workers[0]).run() if len(workers) == 1 else Fleet(config, workers).run())


def _add_capacity(parser: ArgumentParser, config: Config) -> None:
    group = parser.add_argument_group("capacity")
    group.add_argument(
        "--processes", dest="PROCESSES", type=_positive, default=config.PROCESSES, metavar="N",
        help="child processes in which messages run (PROCESSES: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--threads", dest="THREADS", type=_positive, default=config.THREADS, metavar="N",
        help="messages that run at a time in each process (THREADS: %(default)s); async handlers share one "
        "event loop",
    )  # fmt: skip
    group.add_argument(
        "--max-jobs", dest="MAX_JOBS", type=_count, default=config.MAX_JOBS, metavar="N",
        help="replace a child after this many messages; 0: never (MAX_JOBS: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--max-memory", dest="MAX_MEMORY", type=_count, default=config.MAX_MEMORY, metavar="MB",
        help="replace a child whose own memory exceeds this, between two messages; 0: never "
        "(MAX_MEMORY: %(default)s)",
    )  # fmt: skip


def _add_ending(parser: ArgumentParser, config: Config) -> None:
    group = parser.add_argument_group("start and stop")
    group.add_argument(
        "--burst", action="store_true", help="exit as soon as nothing is due and the history is written"
    )
    group.add_argument(
        "--grace", dest="GRACE", type=_seconds, default=config.GRACE, metavar="SECONDS",
        help="time for running messages to finish after SIGTERM; keep it below the time after which your "
        "platform kills the process (GRACE: %(default)g)",
    )  # fmt: skip
    group.add_argument(
        "--lease", dest="LEASE", type=_seconds, default=config.LEASE, metavar="SECONDS",
        help="time after which others take over the messages of a dead worker; at least 0.5 "
        "(LEASE: %(default)g)",
    )  # fmt: skip
    group.add_argument("--watch", action="store_true", help="restart when the code changes, for development")
    group.add_argument("--parent", type=_count, help=SUPPRESS)  # --watch gives it to the worker it starts


def _add_output(parser: ArgumentParser, config: Config) -> None:
    group = parser.add_argument_group("name, log and health")
    group.add_argument(
        "--name",
        dest="WORKER_NAME",
        default=config.WORKER_NAME,
        help="name of the worker in console and log (WORKER_NAME: host and process)",
    )
    group.add_argument("--log-jobs", dest="LOG_JOBS", action="store_true", default=config.LOG_JOBS,
        help="log a line for every message, however short (LOG_JOBS: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--log-format", dest="LOG_FORMAT", choices=LOG_FORMATS, default=config.LOG_FORMAT,
        help="json: one object a line (LOG_FORMAT: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--health-file", dest="HEALTH_FILE", default=config.HEALTH_FILE, metavar="PATH",
        help="touch this file every six seconds while the worker runs, whether Redis answers or not, for a "
        "probe that checks its age (HEALTH_FILE: none)",
    )  # fmt: skip


def _weights(named: list[str], *, strict: bool) -> dict[str, int]:
    """Parse the arguments ``QUEUE[:WEIGHT]`` of the command line. Returns the weights by queue name.

    The default weight is 1. Raises ``CommandError`` for an invalid weight and, if ``strict`` (the option
    ``--strict``) is true, for any weight.
    """
    weights: dict[str, int] = {}
    for text in named:
        queue, has_weight, weight = text.partition(":")
        if has_weight and strict:
            raise CommandError(f"{text}: with --strict a queue has no weight, only its place.")
        if has_weight and not (weight.isascii() and weight.isdecimal() and 1 <= int(weight) <= MAX_WEIGHT):
            raise CommandError(f"{text}: the weight must be a whole number from 1 to {MAX_WEIGHT}.")
        number = int(weight or 1)
        if weights.setdefault(queue, number) != number:
            raise CommandError(f"{queue} is named with the weights {weights[queue]} and {number}.")
    return weights


def _queues(named: list[str]) -> tuple[tuple[str, ...], bool]:
    """The queues from which the worker takes messages, and whether it also takes messages from new queues.

    A new queue is one that receives its first task later. Raises ``CommandError``.
    """
    of_tasks, takes_new_queues = _add_tasks(named)
    known = handlers.queues()
    queues = list(dict.fromkeys(named)) or [queue for queue in known if not is_dead_letter_queue(queue)]
    if not queues:
        raise CommandError(
            "No queue has a handler. Register one in the handlers.py of an installed app: "
            '@handler("emails") on a function of one message.'
        )
    try:
        for queue in queues:
            if queue not in known:
                handlers.handler_of(queue)
    except NoHandler as error:
        raise CommandError(str(error)) from None
    siblings = [low_priority_queue(queue) for queue in queues if queue in of_tasks]
    return tuple(dict.fromkeys([*queues, *siblings])), takes_new_queues


def _refuse_green_threads() -> None:
    """Raise ``CommandError`` if gevent or eventlet has replaced the threads of Python.

    The supervisor waits for signals outside of their event loops, so its recorder would never run.
    """
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if gevent and gevent.is_module_patched("threading"):
        name = "gevent"
    elif eventlet and eventlet.is_monkey_patched("thread"):
        name = "eventlet"
    else:
        return
    raise CommandError(
        f"{name} has replaced the threads of Python, and a worker needs them. Call the monkey patch "
        "only in the programs that need it, not in manage.py, the settings or a module of handlers."
    )


def _report_idle(config: Config, queues: Sequence[str]) -> None:
    """Log the queues in the setting ``QUEUES`` from which a worker of ``queues`` takes no messages.

    Either programs in other languages receive these messages, or an app with a handler is missing in
    ``INSTALLED_APPS``.
    """
    served = set(queues)
    if idle := [queue for queue in config.QUEUES if queue not in served]:
        logger.info(
            "no handler here for %s: a handler is in the handlers.py of an app in INSTALLED_APPS",
            ", ".join(idle),
        )


def _add_tasks(named: list[str]) -> tuple[set[str], bool]:
    """Let the worker run Django's tasks (see ``worker_integration.add_tasks``).

    Returns the queues with tasks, and whether the worker also takes messages from queues that receive their
    first task later. If no backend for tasks can be used, returns an empty set and ``False``.
    """
    if not may_name_backend():
        return set(), False
    try:
        from queueing.tasks import worker_integration
    except ImproperlyConfigured as error:
        logger.error("%s", error)
        return set(), False
    return worker_integration.add_tasks(named)


def _name(wanted: str) -> str:
    # Some names of fields in Redis contain this name, and a space marks its end. So it must not contain a
    # space.
    return re.sub(r"\s+", "-", wanted.strip()) or f"{socket.gethostname()}-{getpid()}"


def _health_file(path: str) -> str:
    if path and not access(Path(path).absolute().parent, W_OK):
        raise CommandError(f"The health file {path} cannot be written: name one in a folder that can.")
    return path


def _positive(text: str) -> int:
    number = _count(text)
    if number < 1:
        raise ArgumentTypeError(f"{number} is too few: it must be 1 or more")
    return number


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 10**7:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
