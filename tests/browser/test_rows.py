"""Workers, lost outcomes and schedules: each action once, on a running worker."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from queueing.monitoring.workers import read_workers
from queueing.scheduling import store
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .test_live import SCHEDULES, WORKERS
from .test_page import overflow

SCHEDULE = "jobs.tasks.tidy"


def press(page: Page, row: str, button: str, said: str) -> None:
    """Press the button in the row of that name, and return the message that the page shows."""
    # Match exactly this row: the button's name for screen readers ends with the name of its row.
    page.locator(f'tr[data-key="{row}"]').get_by_role("button", name=f"{button} {row}", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text(said)
    assert overflow(page) <= 0


def test_each_action_on_workers_and_schedules_works(
    page: Page, client: QueueClient, site_worker: Callable[..., WorkerProcess]
):
    with site_worker("testqueue", "default", "--name", "w1") as worker:
        eventually(lambda: read_workers(client.session) and store.schedules(client.session), of=worker)

        page.goto(WORKERS)
        press(page, "w1", "Quiet", "The worker w1 becomes quiet")
        eventually(lambda: read_workers(client.session)[0].is_quiet, of=worker)
        press(page, "w1", "Resume", "The worker w1 resumes: it claims messages again.")
        assert not read_workers(client.session)[0].is_quiet_wanted

        page.goto(SCHEDULES)
        press(page, SCHEDULE, "Pause", f"Paused {SCHEDULE}")
        assert store.schedules(client.session)[0].paused
        press(page, SCHEDULE, "Resume", f"Resumed {SCHEDULE}")
        assert not store.schedules(client.session)[0].paused
        press(page, SCHEDULE, "Run", f"Sent the message of {SCHEDULE} to default")


def test_lost_outcomes_are_acknowledged(page: Page, client: QueueClient):
    client.redis.hset(client.keys.outbox_stats(), "lost", 12)
    page.goto(WORKERS)
    expect(page.locator(".queueing-outbox")).to_contain_text("12 outcomes are missing in the history.")
    page.get_by_role("button", name="Take note").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Took note of 12 lost outcomes.")
    expect(page.get_by_role("button", name="Take note")).to_have_count(0)
