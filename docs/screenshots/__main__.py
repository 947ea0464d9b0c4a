"""Makes the pictures of the documents from a running site: ``python -m docs.screenshots``."""

import sys

from playwright.sync_api import sync_playwright

from queueing.monitoring.workers import read_workers
from tests.support.programs import require
from tests.support.waiting import eventually

from . import past, shots, work
from .stage import Stage, staged


def fill(stage: Stage) -> None:
    """Let the shop work for a while, and let some of its jobs fail for good."""
    client = stage.client
    work.make_queues(client)
    stage.start_workers()
    work.some_work(client, 60)
    eventually(lambda: client.queue_figures(["emails"])[0].dead, within_seconds=60, what="a dead e-mail")
    eventually(
        lambda: len(read_workers(client.session)) == len(stage.workers), within_seconds=30, what="all workers"
    )
    past.write(client, client.now_ms())


def main() -> None:
    with staged() as stage, sync_playwright() as playwright:
        chromium = require("chromium", "apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        fill(stage)
        for shot in shots.ALL:
            shot(browser, stage)
            sys.stderr.write(f"{shot.__name__.replace('_', ' ')}\n")
        browser.close()


if __name__ == "__main__":
    main()
