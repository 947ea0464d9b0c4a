"""Numbers are grouped for readers only: what a program reads is the same in every language.

Each language gets separators that occur nowhere else. So one of them in an address, in the value of an
input or in a file is certainly a number that was written for readers.
"""

import html
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from types import ModuleType

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.formats import reset_format_cache

from queueing.admin import long_actions
from queueing.admin.jobs import job_action
from queueing.client import QueueClient
from queueing.models import Job

from .crawl import BIG_ID, crawl, fill, text_of
from .jobs import values
from .test_jobs_verbs import said, signed, url

pytestmark = pytest.mark.django_db

CONSOLE = "/admin/queueing/"
LANGUAGES = ("en", "de", "fr", "ar")
GROUP, POINT = "⟪", "⟫"
#: Attributes that are read to a person.
FOR_READERS = {"title", "alt", "aria-label", "placeholder", "label"}
#: The site's own pages.
SITE = ("/?count=1200", "/state")
VERBS = ("rerun", "redrive", "cancel", "forget")


class Machine(HTMLParser):
    """Collects what programs read of a page: attributes, and what is inside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_code = tag in ("script", "style", "textarea")
        self.read += [f"<{tag} {name}={value}" for name, value in attrs if name not in FOR_READERS]

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.read.append(data)


def read_by_programs(page: str) -> list[str]:
    machine = Machine()
    machine.feed(page)
    return machine.read


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest, settings) -> str:
    """The site speaks it, and groups its numbers."""
    settings.LANGUAGE_CODE = request.param
    settings.USE_THOUSAND_SEPARATOR = True
    return request.param


@pytest.fixture
def odd_separators(language: str, settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language writes 1234567.8 as 1⟪234⟪567⟫8."""
    formats = ModuleType("formats")
    formats.THOUSAND_SEPARATOR, formats.DECIMAL_SEPARATOR, formats.NUMBER_GROUPING = GROUP, POINT, 3
    monkeypatch.setitem(sys.modules, f"odd.{language}.formats", formats)
    settings.FORMAT_MODULE_PATH = "odd"
    reset_format_cache()
    yield
    reset_format_cache()


@pytest.fixture
def console(queue: QueueClient, boss: Client) -> Job:
    return fill(queue, user=User.objects.get())


def test_numbers_for_programs_are_not_grouped(odd_separators: None, console: Job, boss: Client) -> None:
    pages = dict(crawl(boss, CONSOLE, within=CONSOLE))
    pages |= {address: boss.get(address) for address in SITE}
    texts = {address: text_of(page) for address, page in pages.items()}

    assert {page.status_code for page in pages.values()} <= {200, 302, 405}
    wrong = {
        address: found
        for address, text in texts.items()
        for found in read_by_programs(text)
        if GROUP in found or POINT in found
    }
    assert not wrong
    files = [address for address, page in pages.items() if "html" not in page["Content-Type"]]
    assert any("/export/" in address for address in files)
    assert not [address for address in files if GROUP in texts[address]]
    # The separators are in use, and all kinds of pages were seen.
    assert any(GROUP in text for text in texts.values())
    for part in (
        "/charts/",
        "/messages/",
        "/move/",
        "/failures/",
        "/worker/",
        "/schedule/",
        "/batch/",
        "/history/",
    ):
        assert any(part in address for address in pages), part


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_on_the_page_of_a_job_is_about_this_job(
    language: str, console: Job, boss: Client, queue: QueueClient, verb: str, monkeypatch
) -> None:
    console.message_id = queue.peek_messages("mail" if verb == "cancel" else "mail-dead", count=1)[0].id
    console.state = "retrying" if verb == "cancel" else "dead"
    console.save()
    page = boss.get(f"{CONSOLE}job/{BIG_ID}/change/").content.decode()

    [address] = {html.unescape(found) for found in re.findall(rf'href="([^"]*/all/{verb}/[^"]*)"', page)}

    assert address == url(verb, f"ids={BIG_ID}")
    assert console.message_id in boss.get(address).content.decode()


def test_deleting_a_job_deletes_no_other(language: str, console: Job, boss: Client) -> None:
    page = boss.get(f"{CONSOLE}job/{BIG_ID}/change/").content.decode()
    address = html.unescape(re.search(r'href="([^"]*/all/forget/[^"]*)"', page)[1])

    boss.post(url("forget"), {"work": signed(boss.get(address))})

    assert set(Job.objects.values_list("pk", flat=True)) == {901, 902}


def test_work_on_more_than_a_thousand_messages_continues_from_page_to_page(
    odd_separators: None, console: Job, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_actions, "SLICE_SECONDS", 0.0)
    address, form = f"{CONSOLE}queue/mail/move/", {"confirmed": "1", "target": "testqueue", "count": "1200"}
    read: list[str] = []
    while (page := boss.post(address, form)).status_code == 200:
        text = page.content.decode()
        read += read_by_programs(text)
        form = {"work": re.search(r'name="work" value="([^"]*)"', text)[1]}

    assert "<progress max=1200" in read
    assert not [one for one in read if GROUP in one]
    assert queue.queue_figures(["testqueue"])[0].attributes.msgs == 1200


def test_a_verb_over_more_than_a_thousand_jobs_continues_from_page_to_page(
    odd_separators: None, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    Job.objects.bulk_create(Job(**values(number)) for number in range(1200))
    monkeypatch.setattr(long_actions, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(job_action, "CHUNK", 1100)

    page = boss.post(url("forget"), {"work": signed(boss.get(url("forget")))})

    read = read_by_programs(page.content.decode())
    assert "<progress max=1200" in read
    assert "<progress value=1100" in read
    done = boss.post(url("forget"), {"work": signed(page)}, follow=True)
    assert "1,200 jobs were deleted." in said(done) or "1,200 Jobs wurden gelöscht." in said(done)
    assert not Job.objects.exists()


class TestWhatIsPosted:
    """A number that is written for readers is refused: it may mean another one here."""

    @pytest.mark.parametrize(
        "count", ["1.000", "1,000", "1 000", "1\u202f000", "1_000", "١٠٠", "1e3", "10.0", "+5"]
    )
    def test_a_number_of_another_form_moves_nothing(
        self, boss: Client, queue: QueueClient, count: str
    ) -> None:
        queue.create_queue("other")
        queue.send_messages("testqueue", ["text"] * 1500)
        form = {"confirmed": "1", "target": "other", "count": count}

        page = boss.post("/admin/queueing/queue/testqueue/move/", form)

        assert page.status_code == 200
        assert "errorlist" in page.content.decode()
        assert queue.queue_figures(["testqueue"])[0].attributes.msgs == 1500

    @pytest.mark.parametrize("value", ["1.000", "1,000", "1_000", "١٠٠٠"])
    @pytest.mark.parametrize("field", ["vt", "delay", "maxsize", "max_receive_count", "retention_seconds"])
    def test_a_number_of_another_form_sets_nothing(
        self, boss: Client, queue: QueueClient, field: str, value: str
    ) -> None:
        before = (queue.get_queue_attributes("testqueue"), queue.get_queue_policy("testqueue"))
        form = {"vt": 30, "delay": 0, "maxsize": 65536, "max_receive_count": "", "retention_seconds": ""}

        page = boss.post(
            "/admin/queueing/queue/testqueue/change/", {**form, "dead_letter_queue": "", field: value}
        )

        assert page.status_code == 200
        assert (queue.get_queue_attributes("testqueue"), queue.get_queue_policy("testqueue")) == before

    @pytest.mark.parametrize("ids", ["901.902", "901\u202f902", "901_902", "٩٠١", "901,902.", "901 902"])
    def test_ids_of_another_form_are_about_no_job(self, console: Job, boss: Client, ids: str) -> None:
        page = boss.get(url("forget"), {"ids": ids})

        assert page.status_code == 400
        assert 'name="work"' not in page.content.decode()

    @pytest.mark.parametrize("id", ["901,902", "901.902", "901\u202f902"])
    def test_the_address_of_a_job_has_its_id_ungrouped(self, console: Job, boss: Client, id: str) -> None:
        assert boss.get(f"{CONSOLE}job/{id}/change/").status_code in (302, 404)
