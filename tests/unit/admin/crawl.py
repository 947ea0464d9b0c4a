"""A console with something on every page, and a walk along its links."""

import html
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from queueing.broker import batches
from queueing.client import QueueClient
from queueing.messages import Timing
from queueing.models import Attempt, Job, StagedMessage
from queueing.scheduling import store

from .jobs import values
from .test_overview import counted
from .test_workers import beat

#: The id of a job, large enough to be grouped, and such that each group is an id, too.
BIG_ID = 901_902
#: Queries with which the walk asks for one page.
QUERIES_MAX = 3
#: How many rows of a list the walk opens.
ROWS_MAX = 10
#: The part of an address that names a row by its number or id.
_ROW = re.compile(r"(?<=/)[^/]*\d[^/]*(?=/)")
#: The target of a link or a form.
_ADDRESS = re.compile(r'(?:href|action|formaction|data-live-url|data-steps-end)="([^"#]*)"')


def fill(client: QueueClient, *, user: User | None = None) -> Job:
    """Give each page rows whose numbers are large. Returns the job with the large id."""
    client.create_queue("mail", vt=12_345, delay=0, maxsize=65_536)
    client.send_messages("mail", [f'{{"order": {number}}}' for number in range(1500)])
    client.set_redrive_policy("mail", 5)
    client.set_retention("mail", 86_400)
    client.create_queue("mail-dead")
    client.send_messages("mail-dead", ["late"] * 1100)
    store.name_schedules(client.session, [Timing("nightly", "0 3 * * *", "Europe/Berlin", "mail", "once")])
    batches.open_batch(client.session, "b" * 32, '{"title": "mail", "queues": ["mail"]}', "", "")
    for name, number in (("done", 12_345), ("failed", 1_234), ("cancelled", 1_111), ("total", 98_765)):
        client.redis.hset("rsmq::batches", f"{'b' * 32} {name}", number)
    ran = client.receive_message("mail")
    client.report_progress("mail", ran.id, ran.rc, 0.3333, "page 1 of 3")
    run = {"id": ran.id, "queue": "mail", "started_ms": client.now_ms() - 1_234_567}
    child = {"name": "child", "pid": 123_457, "memory_bytes": 12_345_678, "running": [run]}
    beat(client, "w1", pid=123_456, processes=2000, threads=2, queues=["mail", "no-such"], children=[child])
    client.redis.hset("rsmq::outbox:stats", mapping={"lost": 12_345})
    counted(client, "mail", done=40_000, dead=2000, retried=3, r5=42_000, run_ms=100_000, wait_ms=90_000,
            max_ready=17_000, max_latency_ms=5_000_000)  # fmt: skip
    StagedMessage.objects.bulk_create(
        StagedMessage(
            id=BIG_ID + number, queue="mail", message_id=f"{number:032}", sender="s", number=number,
            # Some of the rows that the walk opens are long. All of them would be 132 MB in each test.
            body=b"x" * (120_000 if number % 10 == 1 else 12), headers='{"a": "b"}',
            due_ms=4_102_444_800_000, is_refused=number == 1,
            refusal="Queue not found" if number == 1 else "",
        )
        for number in range(1100)
    )  # fmt: skip
    return _jobs(user)


def _jobs(user: User | None) -> Job:
    # Not yet an hour ago, so that the pages about the last hour have rows.
    recently = timezone.now() - timedelta(minutes=5)
    failed = {
        "queue": "mail", "state": "dead", "rc": 2345, "attempts": 1234, "crashes": 1111,
        "error": "ValueError: no", "exception": "ValueError", "body": "b" * 120_000, "result": "r" * 120_000,
        "wait_ms": 12_345.6, "run_ms": 9_876_543.2, "finished_at": recently,
    }  # fmt: skip
    for id in (901, 902, BIG_ID):
        job = Job.objects.create(**values(id, **failed), id=id)
        Attempt.objects.create(
            job=job, rc=2345, outcome="dead", started_at=recently, finished_at=recently,
            error="ValueError: no", exception="ValueError", traceback="Traceback",
            handler="jobs.handlers.say",
        )  # fmt: skip
    if user:
        LogEntry.objects.create(
            user=user, content_type=ContentType.objects.get_for_model(Job), object_id=str(BIG_ID),
            object_repr="job", action_flag=CHANGE, change_message="Redriven.",
        )  # fmt: skip
    return job


def crawl(browser: Client, *starts: str, within: str) -> Iterator[tuple[str, HttpResponse]]:
    """Each page beneath ``within`` that links lead to from ``starts``, with what it answers to GET.

    A page is asked for with few different queries: each filter of a list offers every other one again.
    In a long list, the pages of some rows are asked for.
    """
    seen: set[str] = set()
    queries: Counter[str] = Counter()
    rows: defaultdict[str, set[str]] = defaultdict(set)
    todo = deque(starts)
    while todo:
        url = todo.popleft()
        path = urlsplit(url).path
        if url in seen or queries[path] == QUERIES_MAX or not path.startswith(within):
            continue
        alike = rows[_ROW.sub("*", path)]
        if path not in alike and len(alike) == ROWS_MAX:
            continue
        alike.add(path)
        seen.add(url)
        queries[path] += 1
        response = browser.get(url)
        yield url, response
        todo.extend(addresses(url, response))


def addresses(url: str, response: Any) -> list[str]:
    """The targets of a page or a redirection on this site."""
    if "Location" in response:
        return [urljoin(url, response["Location"])]
    if "html" not in response["Content-Type"]:
        return []
    found = [urljoin(url, html.unescape(href)) for href in _ADDRESS.findall(response.content.decode())]
    return [address for address in found if not urlsplit(address).netloc]


def text_of(response: Any) -> str:
    """The text of the answer. A stream is read to its end."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode()
