"""The subcommand ``limits`` of ``manage.py queues``, which shows the limits of a queue."""

import dataclasses
from argparse import Namespace

from queueing.client import QueueClient
from queueing.conf import get_conf
from queueing.exceptions import QueueNotFound
from queueing.policies import limits

from . import base
from .base import QUEUE, Verb, arg, json
from .output import Screen, counted


class Limits(Verb):
    name = "limits"
    help = "the limits of a queue, and what waits for them"
    description = """\
Show the limit of a whole queue, of the setting LIMITS and of its handler, and
how many messages run. Messages that wait for this limit are ready. Then show
the keys of @policy for which messages wait: how many of each run, over all
queues, and how many wait in this queue."""
    arguments = (
        QUEUE,
        arg("--count", type=base.peeked, default=20, metavar="N", help="the most keys, up to 1000 (20)"),
        json("an object"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        figures = client.figures_of_queue(options.queue)
        if figures is None:
            raise QueueNotFound
        limit = limits.of_queue(get_conf().LIMITS, options.queue)
        found = client.queue_limits(options.queue, keys=options.count)
        if options.json:
            own = {"rate": limit.rate, "concurrency": limit.concurrency}
            screen.json({"queue": options.queue, **own, **dataclasses.asdict(found)})
            return
        counts = f"{figures.running} running, {figures.ready} ready"
        screen.say(f"{options.queue}: {limit or 'no limit of the whole queue'}, {counts}.")
        if found.keys:
            rows = [(one.key, str(one.running), str(one.waiting)) for one in found.keys]
            screen.table([("key", "running", "waiting"), *rows])
        screen.say(f"{counted(found.waiting)} waiting for the limit of a key.")
