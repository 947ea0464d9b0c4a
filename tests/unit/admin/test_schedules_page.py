"""The admin's page of schedules."""

import json
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing import handlers, periodic
from queueing.client import QueueClient
from queueing.messages import Message, Timing
from queueing.scheduling import store
from tests.support.clock import Clock

PAGE = "/admin/queueing/schedule/"
LIVE = PAGE + "live/"
NAME = "tests.nightly"
HOSTILE = ("<script>alert(1)</script>", "safe\u202egpj", "nul\0", "a/b?c=d#e&f", "{{ 7|add:7 }}", "x" * 300)


def text_of(browser: Client, path: str = PAGE) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def named(client: QueueClient, name: str = NAME, **changes: str) -> None:
    """A worker has named the schedule."""
    words = {"expression": "0 3 * * *", "time_zone": "Europe/Berlin", "queue": "testqueue", "missed": "once"}
    store.name_schedules(client.session, [Timing(name, **(words | changes))])


def shifted(client: QueueClient, name: str, **ms: int) -> None:
    """Move these times of a schedule into the past."""
    known = json.loads(client.redis.hget("rsmq::schedules", name))
    known |= {field: str(int(known[field]) - back) for field, back in ms.items()}
    client.redis.hset("rsmq::schedules", name, json.dumps(known))


@pytest.fixture(autouse=True)
def _only_what_a_test_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedules of this site are none of these tests'."""
    periodic.discover()
    monkeypatch.setattr(periodic, "_registered", [])


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> str:
    """This process has the code of a schedule for the queue ``nightly``; its name."""
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(periodic, "_registered", list(periodic._registered))

    @periodic.periodic("0 3 * * *", time_zone="Europe/Berlin", name=NAME, body="go")
    @handlers.handler("nightly")
    def nightly(message: Message) -> None: ...

    return NAME


class TestPage:
    def test_it_shows_all_of_a_schedule(self, boss: Client, queue: QueueClient) -> None:
        named(queue)

        html = text_of(boss)

        for text in (NAME, "0 3 * * *", "Europe/Berlin", "/queue/testqueue/change/", "sent once"):
            assert text in html, text
        assert ">on time</span>" in html
        assert '<span class="quiet">in ' in html

    def test_the_last_message_links_to_its_job(self, boss: Client, queue: QueueClient) -> None:
        named(queue)
        known = json.loads(queue.redis.hget("rsmq::schedules", NAME))
        sent = known | {"tick": known["settled"], "id": "hofnoo4h3u" + "a" * 22}
        queue.redis.hset("rsmq::schedules", NAME, json.dumps(sent))

        html = text_of(boss)

        assert f"/admin/queueing/job/?q=hofnoo4h3u{'a' * 22}" in html

    def test_one_that_is_late(self, boss: Client, queue: QueueClient) -> None:
        named(queue, expression="every 30 s", time_zone="")
        shifted(queue, NAME, settled=120_000)

        html = text_of(boss)

        assert ">late</span>" in html
        assert ">now</span>" in html

    def test_one_that_no_worker_sees_to_any_more(self, boss: Client, queue: QueueClient) -> None:
        named(queue)
        shifted(queue, NAME, seen=200_000)

        assert ">no worker</span>" in text_of(boss)

    def test_one_of_the_code_that_no_worker_has_named(
        self, boss: Client, queue: QueueClient, code: str
    ) -> None:
        html = text_of(boss)

        assert code in html
        assert ">no worker</span>" in html
        assert "/schedule/run/" in html
        assert "/schedule/pause/" not in html

    def test_without_one_it_explains_how_to_make_one(self, boss: Client, queue: QueueClient) -> None:
        assert "@periodic" in text_of(boss)

    def test_the_open_page_asks_for_the_rows_alone(self, boss: Client, queue: QueueClient) -> None:
        named(queue)

        html = text_of(boss, LIVE)

        assert "<html" not in html
        assert NAME in html


class TestVerbs:
    def test_pause_and_resume(self, boss: Client, queue: QueueClient) -> None:
        named(queue)

        html = boss.post(PAGE + "pause/", {"name": NAME}, follow=True).content.decode()
        assert f"Paused {NAME}" in html
        assert ">paused</span>" in html
        assert store.schedules(queue.session)[0].paused

        html = boss.post(PAGE + "resume/", {"name": NAME}, follow=True).content.decode()
        assert f"Resumed {NAME}" in html
        assert not store.schedules(queue.session)[0].paused
        assert [entry.object_id for entry in LogEntry.objects.all()] == [NAME, NAME]

    def test_run_now_sends_its_message_beside_its_ticks(
        self, boss: Client, queue: QueueClient, code: str
    ) -> None:
        named(queue, queue="nightly")
        before = store.schedules(queue.session)[0].settled_ms

        html = boss.post(PAGE + "run/", {"name": code}, follow=True).content.decode()

        message = queue.receive_message("nightly")
        assert (message.body, message.headers["schedule"]) == ("go", code)
        assert f"Sent the message of {code} to nightly: {message.id}." in html
        assert message.id in LogEntry.objects.get().get_change_message()
        assert store.schedules(queue.session)[0].settled_ms == before

    def test_run_now_is_not_offered_where_there_is_no_code_for_it(
        self, boss: Client, queue: QueueClient
    ) -> None:
        named(queue)

        assert "/schedule/run/" not in text_of(boss)
        html = boss.post(PAGE + "run/", {"name": NAME}, follow=True).content.decode()
        assert "does not have the code of this schedule" in html
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("verb", ["run", "pause", "resume"])
    @pytest.mark.parametrize("name", ["gone", "", "nul\0", "x" * 5000])
    def test_one_that_is_not_there(self, boss: Client, queue: QueueClient, verb: str, name: str) -> None:
        html = boss.post(f"{PAGE}{verb}/", {"name": name}, follow=True).content.decode()

        assert "Nothing was changed" in html
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("verb", ["run", "pause", "resume"])
    def test_each_needs_post_and_a_token(self, boss: Client, queue: QueueClient, verb: str) -> None:
        named(queue)
        assert boss.get(f"{PAGE}{verb}/", {"name": NAME}).status_code == 405

        boss.handler.enforce_csrf_checks = True
        assert boss.post(f"{PAGE}{verb}/", {"name": NAME}).status_code == 403
        assert not store.schedules(queue.session)[0].paused


#: Role -> status of the page, of the part for open pages, of run, pause and resume.
ROLES = [
    (None, (302, 302, 302, 302, 302)),
    ((), (403, 403, 403, 403, 403)),
    (("run_schedule", "pause_schedule"), (403, 403, 403, 403, 403)),
    (("view_schedule",), (200, 200, 403, 403, 403)),
    (("view_schedule", "run_schedule"), (200, 200, 302, 403, 403)),
    (("view_schedule", "pause_schedule"), (200, 200, 403, 302, 302)),
    (("view_schedule", "run_schedule", "pause_schedule"), (200, 200, 302, 302, 302)),
]


@pytest.mark.parametrize(("rights", "expected"), ROLES)
def test_the_rights_for_each_action(
    staff: Callable[..., Client],
    queue: QueueClient,
    code: str,
    rights: tuple[str, ...] | None,
    expected: tuple[int, ...],
) -> None:
    named(queue, queue="nightly")
    browser = Client() if rights is None else staff(*rights)

    got = [browser.get(path).status_code for path in (PAGE, LIVE)]
    got += [browser.post(f"{PAGE}{verb}/", {"name": code}).status_code for verb in ("run", "pause", "resume")]

    assert tuple(got) == expected
    if expected[0] == 200:
        html = text_of(browser)
        assert ("/schedule/run/" in html) == (expected[2] == 302)
        assert ("/schedule/pause/" in html) == (expected[3] == 302)


@pytest.mark.parametrize("verb", ["add/", "x/delete/"])
def test_neither_made_nor_deleted_here(boss: Client, queue: QueueClient, verb: str) -> None:
    assert boss.get(PAGE + verb).status_code == 403
    assert boss.post(PAGE + verb, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("text", HOSTILE)
def test_each_of_its_values_is_text(boss: Client, queue: QueueClient, text: str) -> None:
    named(queue, name=text, expression=text, time_zone=text, queue=text, missed=text)

    html = text_of(boss) + text_of(boss, LIVE)

    assert "<script>alert" not in html
    assert not set("\u202e\0") & set(html)
    assert ">14<" not in html


@pytest.mark.usefixtures("redis_away")
class TestRedisAway:
    def test_the_page_shows_it_immediately(self, boss: Client, redis_away: Clock) -> None:
        html = text_of(boss)

        assert redis_away.passed_seconds < 2
        assert "Redis does not answer" in html

    @pytest.mark.parametrize("verb", ["pause", "resume"])
    def test_a_verb_shows_that_its_effect_is_unknown(self, boss: Client, verb: str) -> None:
        html = boss.post(f"{PAGE}{verb}/", {"name": NAME}, follow=True).content.decode()

        assert "Check the state before you repeat this action" in html
        assert not LogEntry.objects.exists()
