"""No link of the console leads to a queue that is not there."""

from urllib.parse import urlsplit

import pytest
from django.test import Client

from queueing.client import QueueClient
from queueing.models import Job

from .crawl import BIG_ID, addresses, crawl, fill
from .test_schedules_page import named
from .test_workers import beat, running

pytestmark = pytest.mark.django_db
CONSOLE = "/admin/queueing/"


def test_every_page_that_is_linked_is_there(boss: Client, queue: QueueClient) -> None:
    fill(queue)
    # A worker of tasks takes the sibling for low priorities before anybody has sent to it.
    beat(queue, "w2", queues=["mail", "mail-low"], children=[running("a" * 32, queue="deleted")])
    named(queue, queue="nobody-made-it")
    Job.objects.filter(pk=BIG_ID).update(queue="deleted")

    pages = dict(crawl(boss, CONSOLE, within=CONSOLE))

    lost = [url for url, page in pages.items() if page.get("Location") == "/admin/"]
    assert not lost
    linked = {urlsplit(one).path for url, page in pages.items() for one in addresses(url, page)}
    assert f"{CONSOLE}queue/mail/change/" in linked
    for name in ("mail-low", "deleted", "nobody-made-it", "no-such"):
        assert f"{CONSOLE}queue/{name}/change/" not in linked
