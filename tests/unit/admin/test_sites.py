"""The console on an admin site of the project's own, alone or beside Django's: its links stay there."""

import re
import sys
from collections.abc import Callable
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import path

from queueing.admin import BatchAdmin, JobAdmin, QueueAdmin, ScheduleAdmin, StagedMessageAdmin, WorkerAdmin
from queueing.client import QueueClient
from queueing.models import Batch, Job, Queue, Schedule, StagedMessage, Worker

from .crawl import BIG_ID, addresses, crawl, fill
from .test_jobs_verbs import signed

pytestmark = pytest.mark.django_db

CONSOLE = {
    Job: JobAdmin, Queue: QueueAdmin, Worker: WorkerAdmin, Schedule: ScheduleAdmin,
    StagedMessage: StagedMessageAdmin, Batch: BatchAdmin,
}  # fmt: skip
OPS = "/ops/queueing/"


class OpsSite(admin.AdminSite):
    site_header = "Operations"


@pytest.fixture
def sites(settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Serves the console on the site ``ops``: ``sites(beside=True)`` keeps Django's, without the console."""

    def serve(*, beside: bool = False, both: bool = False, without: tuple[type, ...] = ()) -> None:
        ops = OpsSite(name="ops")
        for model in CONSOLE.keys() - set(without):
            ops.register(model, CONSOLE[model])
        if not both:
            for model in CONSOLE:
                monkeypatch.delitem(admin.site._registry, model)
        urls = ModuleType("urls")
        urls.urlpatterns = [path("ops/", ops.urls)]
        if beside or both:
            urls.urlpatterns.insert(0, path("admin/", admin.site.urls))
        monkeypatch.setitem(sys.modules, f"urls_of_{id(urls)}", urls)
        settings.ROOT_URLCONF = f"urls_of_{id(urls)}"

    return serve


@pytest.mark.parametrize(
    "how",
    [{}, {"beside": True}, {"both": True}, {"beside": True, "without": (Job,)}, {"without": (Queue,)}],
    ids=["alone", "beside Django's", "on both", "without jobs", "without queues"],
)
def test_every_page_answers_and_links_to_its_own_site(
    sites: Callable[..., None], boss: Client, queue: QueueClient, how: dict
) -> None:
    fill(queue, user=User.objects.get())
    sites(**how)
    pages = dict(crawl(boss, OPS, within=OPS))

    assert {page.status_code for page in pages.values()} <= {200, 302, 405}
    assert len(pages) > 20
    found = [address for url, page in pages.items() for address in addresses(url, page)]
    assert not [address for address in found if urlsplit(address).path.startswith("/admin/")]


@pytest.mark.parametrize("how", [{}, {"beside": True}, {"both": True}], ids=["alone", "beside", "on both"])
def test_verbs_work_and_lead_back_to_their_site(
    sites: Callable[..., None], boss: Client, queue: QueueClient, how: dict
) -> None:
    fill(queue)
    sites(**how)

    def led_to(address: str, **form: str) -> str:
        answer = boss.post(f"{OPS}{address}", form)
        assert answer.status_code == 302, answer
        assert boss.get(answer["Location"]).status_code == 200
        return answer["Location"]

    assert led_to("queue/mail/pause/", confirmed="1") == f"{OPS}queue/mail/change/"
    assert queue.queue_figures(["mail"])[0].paused
    assert led_to("worker/quiet/", name="w1") == f"{OPS}worker/"
    assert led_to("schedule/pause/", name="nightly") == f"{OPS}schedule/"
    assert led_to("job/", action="delete_selected", _selected_action=str(BIG_ID)).startswith(f"{OPS}job/all/")
    question = boss.get(f"{OPS}job/all/forget/", {"ids": str(BIG_ID)})
    assert led_to("job/all/forget/", work=signed(question)) == f"{OPS}job/"
    assert not Job.objects.filter(pk=BIG_ID).exists()
    assert led_to("queue/mail-dead/delete/", post="yes") == f"{OPS}queue/"


def test_the_page_in_place_of_the_database_links_to_its_own_site(
    sites: Callable[..., None], boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("could not connect")

    sites(both=True)
    monkeypatch.setattr(OpsSite, "has_permission", away)

    page = boss.get(f"{OPS}job/")

    assert page.status_code == 503
    assert b"Operations" in page.content
    assert re.findall(r'href="(/(?:ops|admin)/[^"]*)"', page.content.decode()) == ["/ops/"]
