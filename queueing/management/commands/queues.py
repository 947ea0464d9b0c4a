"""``manage.py queues``: parses the arguments of a verb (subcommand) and runs it (see ``queueing.cli``)."""

import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import suppress
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from queueing import get_client
from queueing.cli import VERBS, Screen, Verb
from queueing.cli.output import sentence
from queueing.client.steps import unusable
from queueing.exceptions import QueueError
from queueing.text.printable import printable

WORK = ("work", "process messages, as runworker does")
INTERRUPTED, NOBODY_READS = 130, 141


class Command(BaseCommand):
    help = "Inspect and control the queues from a terminal."
    # A broken urls.py must not prevent the pause of a queue.
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
        for verb in VERBS:
            page = verbs.add_parser(
                verb.name,
                help=verb.help,
                description=verb.description,
                formatter_class=RawDescriptionHelpFormatter,
            )
            for add in verb.arguments:
                add(page)
            _add_common(page)
        verbs.add_parser(WORK[0], help=WORK[1], add_help=False)

    def run_from_argv(self, argv: list[str]) -> None:
        if argv[2:3] == ["work"]:
            # The verb is runworker under a name that no other app uses.
            from queueing.management.commands.runworker import Command as RunWorker

            RunWorker().run_from_argv([argv[0], "queues work", *argv[3:]])
            return
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:  # before a verb began, or after it
            raise SystemExit(INTERRUPTED) from None

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["verb"]
        if name is None:
            self._list_verbs()
        elif name == "work":
            call_command("runworker")
        else:
            verb = next(verb for verb in VERBS if verb.name == name)
            self._run(verb(), Namespace(**options))

    def _run(self, verb: Verb, options: Namespace) -> None:
        client, screen = get_client(), Screen(self.stdout, self.stderr)
        try:
            client = client.reachable() if verb.lists else client
            for name in client.away:
                screen.note(f"Warning: {unusable(name, client.refusals[name])}.")
            verb.run(client, screen, options)
            screen.flush()
        except (QueueError, DatabaseError) as error:
            names = [vars(options)[name] for name in ("queue", "source", "target") if name in vars(options)]
            text = "; ".join(filter(None, [sentence(error, client, names), screen.so_far()]))
            raise CommandError(f"{printable(text)}.") from error
        except KeyboardInterrupt:
            screen.stopped()
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            _close_stdout()
            raise SystemExit(NOBODY_READS) from None

    def _list_verbs(self) -> None:
        verbs = [*((verb.name, verb.help) for verb in VERBS), WORK]
        widest = max(len(name) for name, _ in verbs)
        lines = [f"  {name:{widest}}  {help}" for name, help in verbs]
        self.stdout.write("\n".join([f"{self.help}\n", "manage.py queues VERB …\n", *lines]))
        self.stdout.write("\nmanage.py queues VERB --help shows the help of a verb.")


def _add_common(page: ArgumentParser) -> None:
    """Accept Django's common options also after the subcommand. Its help does not list them."""
    for flag in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        page.add_argument(flag, action="store_true", default=SUPPRESS, help=SUPPRESS)
    for option in ("--settings", "--pythonpath"):
        page.add_argument(option, default=SUPPRESS, help=SUPPRESS)
    page.add_argument("-v", "--verbosity", type=int, default=SUPPRESS, help=SUPPRESS)


def _close_stdout() -> None:
    """Redirect stdout to the null device after a broken pipe.

    Otherwise Python would flush it at exit and report an error.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
