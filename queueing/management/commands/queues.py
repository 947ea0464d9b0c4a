"""``manage.py queues``: the queues from a terminal. Parses and hands over, prints what comes back."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from queueing import get_client, send_message
from queueing.exceptions import QueueError
from queueing.messages import QueueFigures

COLUMNS = ("queue", "ready", "delayed", "running", "dead", "latency", "msgs", "hiddenmsgs", "vt", "delay",
           "maxsize", "totalsent", "totalrecv")  # fmt: skip


class Command(BaseCommand):
    help = "See and steer the queues from a terminal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")

        verb = verbs.add_parser("list", help="all queues with their figures")
        verb.add_argument("--json", action="store_true", help="one JSON object per queue, in an array")

        verb = verbs.add_parser("create", help="create a queue")
        verb.add_argument("queue")
        verb.add_argument("--vt", type=int, help="visibility timeout in seconds (30)")
        verb.add_argument("--delay", type=int, help="seconds before a new message can be received (0)")
        verb.add_argument(
            "--maxsize", type=int, help="UTF-16 units of a message, 1024 to 65536, or -1 (65536)"
        )

        verb = verbs.add_parser("send", help="send a message and print its id")
        verb.add_argument("queue")
        verb.add_argument("message")
        verb.add_argument("--delay", type=int, help="seconds before it can be received")

        verb = verbs.add_parser("peek", help="look at messages without receiving them")
        verb.add_argument("queue")
        verb.add_argument("--count", type=int, default=10, help="how many at the most (10)")
        verb.add_argument("--newest", action="store_true", help="from the end of the queue")
        verb.add_argument("--json", action="store_true", help="a JSON array")

        verbs.add_parser("work", help="process messages, as runworker does", add_help=False)

    def run_from_argv(self, argv: list[str]) -> None:
        if argv[2:3] == ["work"]:
            # The same command under a name that no other app takes.
            from queueing.management.commands.runworker import Command as RunWorker

            RunWorker().run_from_argv([argv[0], "queues work", *argv[3:]])
            return
        super().run_from_argv(argv)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "work":
            call_command("runworker")
            return
        try:
            getattr(self, f"_{verb}")(**options)
        except QueueError as error:
            raise CommandError(f"{error}.") from error

    def _list(self, *, json: bool, **_: Any) -> None:
        figures = get_client().queue_figures()
        if json:
            self._print_json([_flat(queue) for queue in figures])
        elif not figures:
            self.stdout.write("There is no queue. Make one: manage.py queues create NAME")
        else:
            self._print_table([[str(_flat(queue)[column]) for column in COLUMNS] for queue in figures])

    def _create(
        self, *, queue: str, vt: int | None, delay: int | None, maxsize: int | None, **_: Any
    ) -> None:
        get_client().create_queue(queue, vt=vt, delay=delay, maxsize=maxsize)
        self.stdout.write(f"created {queue}")

    def _send(self, *, queue: str, message: str, delay: int | None, **_: Any) -> None:
        self.stdout.write(send_message(queue, message, delay=delay))

    def _peek(self, *, queue: str, count: int, newest: bool, json: bool, **_: Any) -> None:
        messages = get_client().peek_messages(queue, count=count, newest=newest)
        if json:
            self._print_json([dataclasses.asdict(message) for message in messages])
            return
        for message in messages:
            self.stdout.write(f"{message.id}  {message.state:8}  rc {message.rc}  {_one_line(message.body)}")

    def _print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2))

    def _print_table(self, rows: list[list[str]]) -> None:
        rows = [list(COLUMNS), *rows]
        widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.stdout.write("  ".join(cells).rstrip())


def _flat(figures: QueueFigures) -> dict[str, Any]:
    return {
        "queue": figures.name,
        "ready": figures.ready,
        "delayed": figures.delayed,
        "running": figures.running,
        "dead": figures.dead,
        "latency": round(figures.latency_seconds, 1),
        **dataclasses.asdict(figures.attributes),
    }


def _one_line(text: str, length: int = 100) -> str:
    """Without control characters, which could steer a terminal."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:length])
    return shown + ("…" if len(text) > length else "")
