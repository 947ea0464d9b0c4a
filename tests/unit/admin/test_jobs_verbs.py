"""Running again, redriving, cancelling and deleting jobs: one, a selection, and all of a list."""

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.test import Client
from django.utils import timezone

from queueing.admin import long_actions
from queueing.admin.jobs import job_action, search
from queueing.broker import outbox
from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from queueing.handlers import handler, policy
from queueing.history import writer
from queueing.models import Attempt, Job

from .jobs import LIST, NOON, job, listed, text_of

pytestmark = pytest.mark.django_db

VERBS = ("rerun", "redrive", "cancel", "forget")
RIGHTS = {"rerun": "rerun_job", "redrive": "redrive_job", "cancel": "cancel_job", "forget": "delete_job"}


def url(verb: str, query: str = "") -> str:
    return f"{LIST}all/{verb}/?{query}"


def signed(page: Any) -> str:
    return html.unescape(re.search(r'name="work" value="([^"]*)"', page.content.decode())[1])  # type: ignore[index]


def question(browser: Client, verb: str, query: str) -> str:
    """The question of the page."""
    found = re.search(r"<strong>([^<]*\?)</strong>", text_of(browser, url(verb, query)))
    return found[1] if found else ""


def do(browser: Client, verb: str, query: str) -> Any:
    """Say yes, and press Continue as long as there is one. The last page, followed."""
    page = browser.get(url(verb, query))
    for _step in range(50):
        page = browser.post(url(verb), {"work": signed(page)})
        if page.status_code == 302:
            return browser.get(page["Location"])
    raise AssertionError("it does not end")


def said(page: Any) -> str:
    found = re.search(r'<ul class="messagelist">\s*<li[^>]*>(.*?)</li>', page.content.decode(), re.DOTALL)
    return html.unescape(found[1]) if found else ""


def died(client: QueueClient, *bodies: str, qname: str = "testqueue") -> list[Job]:
    """Jobs that failed for the last time, in the queue's dead letters and in the history."""
    client.send_messages(qname, list(bodies))
    settle(client, "dead", len(bodies), qname=qname)
    return list(Job.objects.filter(queue=qname).order_by("-finished_at", "-pk"))


def settle(client: QueueClient, event: str, count: int = 1, *, qname: str = "testqueue", **more: Any) -> None:
    lease = QueueLease(client.session, Config(), "host:1.1", qname)
    batch = lease.read_claim(client.session.call_each([lease.claim(count, suspects="take")])[0])
    done_ms = 1_772_366_400_000.0
    ended = [
        Outcome(
            qname, one.message.id, one.message.rc, State(event), "host:1", "jobs.say", finished_ms=done_ms,
            body=one.message.body, error="ValueError: no", **more,
        )
        for one in batch.deliveries
    ]  # fmt: skip
    assert client.session.call_each([lease.settle(ended)])[0][0] == b"ok"
    record(client)


def record(client: QueueClient) -> None:
    entries = outbox.read(client.session, "recorder", count=1000) or []
    writer.write([outcome for entry in entries for outcome in entry.outcomes])
    outbox.drop(client.session, entries)


class TestRunAgain:
    def test_the_same_payload_is_sent_again_and_the_new_id_is_shown(
        self, boss: Client, queue: QueueClient
    ) -> None:
        row = job(body="Hello <b>")

        page = do(boss, "rerun", f"ids={row.pk}")

        [message] = queue.peek_messages("testqueue")
        assert message.body == "Hello <b>"
        assert message.id != row.message_id
        assert said(page) == f"The job was sent again as {message.id}."
        assert page.request["PATH_INFO"] == f"{LIST}{row.pk}/change/"
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.action_flag, entry.user.username) == (str(row.pk), CHANGE, "boss")
        assert entry.change_message == f"Sent again as {message.id}."

    def test_it_warns_that_headers_are_not_known(self, boss: Client, queue: QueueClient) -> None:
        assert "Headers are not stored" in text_of(boss, url("rerun", f"ids={job().pk}"))

    @pytest.mark.parametrize(
        "values", [{"body": "Hel", "body_is_whole": False}, {"body": "", "body_is_whole": False}]
    )
    def test_a_payload_that_is_not_stored_whole_is_refused(
        self, boss: Client, queue: QueueClient, values: dict[str, Any]
    ) -> None:
        row = job(**values)

        page = do(boss, "rerun", f"ids={row.pk}")

        assert said(page) == "1 skipped: the history does not have the whole payload."
        assert queue.peek_messages("testqueue") == []
        assert not LogEntry.objects.exists()
        assert url("rerun", f"ids={row.pk}") not in text_of(boss, f"{LIST}{row.pk}/change/")

    def test_an_empty_payload_is_one(self, boss: Client, queue: QueueClient) -> None:
        do(boss, "rerun", f"ids={job(body='').pk}")
        assert [message.body for message in queue.peek_messages("testqueue")] == [""]

    def test_a_second_click_sends_nothing_new(self, boss: Client, queue: QueueClient) -> None:
        asked = signed(boss.get(url("rerun", f"ids={job().pk}")))

        for _click in range(3):
            boss.post(url("rerun"), {"work": asked})

        assert len(queue.peek_messages("testqueue")) == 1

    def test_asked_twice_it_is_sent_twice(self, boss: Client, queue: QueueClient) -> None:
        row = job()
        for _turn in range(2):
            do(boss, "rerun", f"ids={row.pk}")
        assert len(queue.peek_messages("testqueue")) == 2

    def test_a_job_that_is_still_under_way_is_left_alone(self, boss: Client, queue: QueueClient) -> None:
        queue.send_message("testqueue", "Hello")
        settle(queue, "retrying", delay_ms=60_000)

        page = do(boss, "rerun", f"ids={Job.objects.get().pk}")

        assert "still in its queue" in said(page)
        assert len(queue.peek_messages("testqueue")) == 1

    def test_a_queue_that_is_gone_and_one_that_takes_only_short_messages(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.create_queue("small", maxsize=1024)
        job(1, queue="nothere")
        job(2, queue="small", body="x" * 2000)
        job(3, queue="small", body="fits")
        job(4, queue="<b>no name</b>")

        page = do(boss, "rerun", "")

        for text in (
            "1 skipped: the queue does not exist.",
            "1 skipped: the payload is longer than the queue allows now.",
            "1 skipped: the queue refused it.",
        ):
            assert text in said(page)
        assert [message.body for message in queue.peek_messages("small")] == ["fits"]


class TestRedrive:
    def test_a_dead_letter_goes_back_with_its_id(self, boss: Client, queue: QueueClient) -> None:
        [row] = died(queue, "Hello")
        shown = text_of(boss, f"{LIST}{row.pk}/change/")
        assert "is a dead letter in testqueue-dead" in shown
        assert url("redrive", f"ids={row.pk}") in shown

        page = do(boss, "redrive", f"ids={row.pk}")

        assert said(page) == "1 job was redriven."
        assert [message.id for message in queue.peek_messages("testqueue")] == [row.message_id]
        assert queue.peek_messages("testqueue-dead") == []
        assert LogEntry.objects.get().change_message == "Redriven."
        assert "State of the message in its queue" in page.content.decode()

    def test_only_dead_letters_that_are_present_are_redriven(self, boss: Client, queue: QueueClient) -> None:
        [first, second] = died(queue, "a", "b")
        queue.delete_message("testqueue-dead", first.message_id)
        job(9)

        page = do(boss, "redrive", "")

        assert said(page) == (
            "1 job was redriven. 1 skipped: the message is not ready in the dead-letter queue."
            " 1 skipped: the job is not dead."
        )
        assert [message.id for message in queue.peek_messages("testqueue")] == [second.message_id]

    def test_from_a_dead_letter_queue_of_another_name(self, boss: Client, queue: QueueClient) -> None:
        queue.set_redrive_policy("testqueue", 5, "morgue")
        [row] = died(queue, "a")
        assert "dead letter in morgue" in text_of(boss, f"{LIST}{row.pk}/change/")
        do(boss, "redrive", f"ids={row.pk}")
        assert len(queue.peek_messages("testqueue")) == 1


class TestCancel:
    def test_a_retrying_job_is_cancelled(self, boss: Client, queue: QueueClient) -> None:
        queue.send_message("testqueue", "Hello")
        settle(queue, "retrying", delay_ms=60_000)
        row = Job.objects.get()
        assert url("cancel", f"ids={row.pk}") in text_of(boss, f"{LIST}{row.pk}/change/")

        page = do(boss, "cancel", f"ids={row.pk}")

        assert said(page) == "1 job was cancelled."
        assert queue.peek_messages("testqueue") == []
        assert LogEntry.objects.get().change_message == "Cancelled."
        record(queue)
        row.refresh_from_db()
        assert (row.state, row.error) == ("cancelled", "cancelled by boss")
        assert "delivery 2" not in text_of(boss, f"{LIST}{row.pk}/change/")

    def test_a_running_or_absent_job_is_left_alone(self, boss: Client, queue: QueueClient) -> None:
        queue.send_message("testqueue", "Hello")
        settle(queue, "released")
        lease = QueueLease(queue.session, Config(), "host:2.1", "testqueue")
        queue.session.call_each([lease.claim(1, suspects="take")])
        job(5)

        page = do(boss, "cancel", "")

        assert (
            said(page) == "1 skipped: the message is not in its queue. 1 skipped: a worker holds the message."
        )
        assert len(queue.peek_messages("testqueue")) == 1


class TestDelete:
    def test_a_selection_is_forgotten_with_its_attempts(self, boss: Client, redis_away: None) -> None:
        rows = [job(number) for number in range(4)]
        for row in rows:
            Attempt.objects.create(job=row, rc=1, outcome="done", finished_at=NOON)

        page = do(boss, "forget", f"ids={rows[0].pk},{rows[2].pk}")

        assert said(page) == "2 jobs were deleted."
        assert listed(page.content.decode()) == [rows[3].message_id, rows[1].message_id]
        assert Attempt.objects.count() == 2
        assert set(LogEntry.objects.values_list("object_repr", "action_flag")) == {
            (rows[0].message_id, DELETION),
            (rows[2].message_id, DELETION),
        }

    def test_the_log_counts_the_jobs_of_a_whole_filter(self, boss: Client, redis_away: None) -> None:
        for number in range(5):
            job(number, state="dead" if number % 2 else "done")

        do(boss, "forget", "state=done")

        assert set(Job.objects.values_list("state", flat=True)) == {"dead"}
        entry = LogEntry.objects.get()
        assert entry.change_message == "Deleted from the history: 3 jobs of the filter state=done"

    def test_the_last_one_leads_back_to_the_list(self, boss: Client, redis_away: None) -> None:
        page = do(boss, "forget", f"ids={job().pk}")
        assert page.request["PATH_INFO"] == LIST


class TestMany:
    def test_the_question_has_the_number_and_the_newest(self, boss: Client, redis_away: None) -> None:
        for number in range(30):
            job(number, state="dead" if number % 3 else "done")

        assert question(boss, "rerun", "state=dead") == "Run 20 jobs again?"
        assert question(boss, "forget", "q=Hello") == "Delete 30 jobs from the history?"
        assert question(boss, "cancel", f"ids={Job.objects.first().pk}") == "Cancel 1 job?"  # type: ignore[union-attr]
        assert question(boss, "redrive", "state=gone") == ""
        assert text_of(boss, url("rerun", "state=dead")).count("<code>id0") == 10

    def test_it_goes_in_steps_with_visible_progress(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_action, "CHUNK", 4)
        monkeypatch.setattr(long_actions, "SLICE_SECONDS", -1)
        for number in range(10):
            job(number, body=f"number {number}", body_is_whole=number != 3)

        page = boss.get(url("rerun"))
        seen = []
        while page.status_code == 200:
            page = boss.post(url("rerun"), {"work": signed(page)})
            seen += re.findall(r"<strong>([^<]*done)</strong>", page.content.decode())

        assert seen == ["4 of 10 done", "8 of 10 done"]
        assert sorted(message.body for message in queue.peek_messages("testqueue")) == [
            f"number {number}" for number in range(10) if number != 3
        ]
        assert LogEntry.objects.count() == 9
        assert said(boss.get(LIST)) == (
            "9 jobs were sent again. 1 skipped: the history does not have the whole payload."
        )

    def test_a_job_that_finishes_after_the_question_is_not_part_of_it(
        self, boss: Client, redis_away: None
    ) -> None:
        job(1)
        asked = signed(boss.get(url("forget")))
        job(2)

        boss.post(url("forget"), {"work": asked})

        assert list(Job.objects.values_list("message_id", flat=True)) == [f"id{2:030}"]

    def test_a_search_without_an_index_is_gone_through_too(
        self, boss: Client, redis_away: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("queueing.admin.jobs.search.TEXT_STEP", 3)
        for number in range(20):
            job(number, error="boom" if number % 5 == 0 else "", queue="a" if number < 10 else "b")

        do(boss, "forget", "q=boom&queue=a")

        assert Job.objects.filter(error="boom").count() == 2
        assert Job.objects.count() == 18

    def test_a_search_whose_time_is_up_shows_its_progress_and_can_be_gone_through(
        self, boss: Client, redis_away: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("queueing.admin.jobs.search.TEXT_STEP", 3)
        monkeypatch.setattr(job_action, "COUNT_SECONDS", -1)
        monkeypatch.setattr(long_actions, "SLICE_SECONDS", -1)
        for number in range(20):
            job(number, error="boom" if number in (0, 18) else "")

        page = text_of(boss, url("forget", "q=boom"))
        assert "Delete at least 1 job from the history?" in page
        assert "Searched 6 of about 20 jobs." in page
        do(boss, "forget", "q=boom")
        assert not Job.objects.filter(error="boom").exists()

        job(30, error="boom", finished_at=NOON - timedelta(days=1))
        page = text_of(boss, url("forget", "q=boom"))
        assert "Delete an unknown number of jobs from the history?" in page
        assert "No job was found so far." in page
        monkeypatch.setattr(search, "BUDGET_SECONDS", -1)
        answer = boss.post(url("forget"), {"work": signed(boss.get(url("forget", "q=boom")))})
        assert "0 done" in answer.content.decode()
        do(boss, "forget", "q=boom")
        assert Job.objects.count() == 18

    def test_redis_away_in_the_middle_stops_it_and_it_continues_later(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_action, "CHUNK", 2)
        for number in range(6):
            job(number)
        send_messages, calls = queue.send_messages, []

        def flaky(*args: Any, **options: Any) -> Any:
            calls.append(args)
            if len(calls) == 2:
                raise QueueUnavailable
            return send_messages(*args, **options)

        monkeypatch.setattr(queue, "send_messages", flaky)
        page = boss.post(url("rerun"), {"work": signed(boss.get(url("rerun")))})
        text = page.content.decode()
        assert "Redis does not answer, so the action stopped here" in text
        assert "2 of 6 done" in text
        assert "data-halted" in text

        assert boss.post(url("rerun"), {"work": signed(page)}).status_code == 302
        assert len(queue.peek_messages("testqueue")) == 6

    def test_a_redis_that_is_away_from_the_start(self, boss: Client, redis_away: None) -> None:
        page = boss.post(url("cancel"), {"work": signed(boss.get(url("cancel", f"ids={job().pk}")))})
        assert "Redis does not answer" in page.content.decode()
        assert "secret" not in page.content.decode()

    @pytest.mark.parametrize("progress", ["", "x", "e30:1abc:xyz"])
    def test_an_action_without_a_question_of_this_site_is_not_done(
        self, boss: Client, redis_away: None, progress: str
    ) -> None:
        job()
        assert boss.post(url("forget"), {"work": progress}).status_code == 400
        assert Job.objects.count() == 1

    def test_an_answer_holds_for_its_own_question_only(self, boss: Client, redis_away: None) -> None:
        asked = signed(boss.get(url("rerun", f"ids={job().pk}")))
        assert boss.post(url("forget"), {"work": asked}).status_code == 400
        assert Job.objects.count() == 1

    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("ids=abc", "ids"),
            ("ids=", "ids"),
            ("ids=" + "9" * 40, "ids"),
            ("ids={pk},abc", "ids"),
            ("ids=" + ",".join(["1"] * 501), "ids"),
            ("since=foo", "since"),
            ("state=done&until=2026-02-30", "until"),
            ("period=aeon", "period"),
            ("handler=" + "h" * 256, "handler"),
            ("q=" + "x" * 201, "q"),
            ("id={pk}", "id"),
            (
                "evil%E2%80%AE%3Cb%3E=1&" + "&".join(f"n{n}=1" for n in range(9)),
                r"evil\u202e&lt;b&gt;, n0, n1, n2, n3",
            ),
        ],
    )
    def test_an_unreadable_filter_does_not_become_all_jobs(
        self, boss: Client, redis_away: None, verb: str, query: str, named: str
    ) -> None:
        query = query.format(pk=job().pk)

        page = boss.get(url(verb, query))

        html = page.content.decode()
        assert page.status_code == 400
        assert f"These parts of the address are not understood: {named}. Choose" in html
        assert 'name="work"' not in html

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "since=&until=&q=+",
            "period=month",
            "since=2026-01-01T10:00",
            "q=+Hello+",
            "handler=jobs.handlers.say",
        ],
    )
    def test_a_readable_filter_is_asked(self, boss: Client, redis_away: None, query: str) -> None:
        job(finished_at=timezone.now())
        assert question(boss, "forget", query) == "Delete 1 job from the history?"

    def test_an_unknown_verb(self, boss: Client, redis_away: None) -> None:
        assert boss.get(url("explode")).status_code == 404


class TestFromTheList:
    @pytest.mark.parametrize("verb", VERBS)
    def test_the_selection_leads_to_the_question(self, boss: Client, redis_away: None, verb: str) -> None:
        rows = [job(number) for number in range(3)]
        action = "delete_selected" if verb == "forget" else verb
        data = {"action": action, "index": "0", "_selected_action": [rows[0].pk, rows[2].pk]}

        page = boss.post(LIST, data, follow=True)

        assert page.redirect_chain[0][0] == url(verb, f"ids={rows[0].pk}%2C{rows[2].pk}")
        assert "2 jobs" in page.content.decode()
        assert Job.objects.count() == 3

    def test_the_whole_list_is_offered_with_its_filter(self, boss: Client, redis_away: None) -> None:
        job(state="dead")
        html = text_of(boss, LIST + "?state=dead&queue=testqueue")
        for verb in VERBS:
            assert f'href="{url(verb, "queue=testqueue&amp;state=dead")}"' in html


class TestRights:
    def test_nobody_does_anything_without_logging_in(self, redis_away: None) -> None:
        job()
        for verb in VERBS:
            for answer in (Client().get(url(verb)), Client().post(url(verb), {"work": "x"})):
                assert answer["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize(
        "rights", [(), ("view_queue",), ("rerun_job", "cancel_job", "redrive_job", "delete_job")]
    )
    def test_without_the_right_to_look_nothing_is_allowed(
        self, staff: Callable[..., Client], redis_away: None, rights: tuple[str, ...]
    ) -> None:
        row, browser = job(), staff(*rights)
        for verb in VERBS:
            assert browser.get(url(verb, f"ids={row.pk}")).status_code == 403
            assert browser.post(url(verb), {"work": "x"}).status_code == 403

    def test_a_user_with_the_right_to_view_sees_no_way_to_change_anything(
        self, staff: Callable[..., Client], queue: QueueClient
    ) -> None:
        [row] = died(queue, "Hello")
        viewer = staff("view_job")
        for path in (LIST, f"{LIST}{row.pk}/change/"):
            html = text_of(viewer, path)
            assert "/all/" not in html
            assert 'name="action"' not in html
            assert "deletelink" not in html
        for verb in VERBS:
            assert viewer.get(url(verb, f"ids={row.pk}")).status_code == 403
        data = {"action": "rerun", "index": "0", "_selected_action": [row.pk]}
        assert viewer.post(LIST, data).status_code in (200, 302, 403)
        assert queue.peek_messages("testqueue") == []

    @pytest.mark.parametrize("verb", VERBS)
    def test_each_right_allows_its_own_verb_only(
        self, staff: Callable[..., Client], queue: QueueClient, verb: str
    ) -> None:
        [row] = died(queue, "Hello")
        browser = staff("view_job", RIGHTS[verb])
        html = text_of(browser, LIST)
        allowed = [one for one in VERBS if url(one) in html]
        assert allowed == [verb]
        for other in VERBS:
            assert browser.get(url(other, f"ids={row.pk}")).status_code == (200 if other == verb else 403)
        do(browser, verb, f"ids={row.pk}")
        assert LogEntry.objects.count() == (0 if verb == "cancel" else 1)  # a dead one is in no queue

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_post_from_elsewhere_is_refused(self, boss: Client, redis_away: None, verb: str) -> None:
        asked = signed(boss.get(url(verb, f"ids={job().pk}")))
        elsewhere = Client(enforce_csrf_checks=True)
        elsewhere.cookies = boss.cookies
        assert elsewhere.post(url(verb), {"work": asked}).status_code == 403
        assert Job.objects.count() == 1

    def test_a_right_that_is_taken_away_between_two_steps_ends_it(
        self, staff: Callable[..., Client], redis_away: None
    ) -> None:
        browser = staff("view_job", "delete_job")
        asked = signed(browser.get(url("forget", f"ids={job().pk}")))
        from django.contrib.auth.models import User

        User.objects.get(username="staff").user_permissions.clear()
        assert browser.post(url("forget"), {"work": asked}).status_code == 403
        assert Job.objects.count() == 1


class TestWhereItIsNow:
    def test_redis_away_is_said_and_what_needs_it_is_not_offered(
        self, boss: Client, redis_away: None
    ) -> None:
        row = job()
        html = text_of(boss, f"{LIST}{row.pk}/change/")
        assert "Redis does not answer" in html
        assert [verb for verb in VERBS if f"/all/{verb}/" in html] == ["forget"]

    def test_a_redis_that_refuses_is_quoted(self, boss: Client, own_redis: Any) -> None:
        server, row = own_redis(), job()
        with server.connect() as redis:
            redis.execute_command(
                "ACL", "SETUSER", "app", "on", ">x", "~*", "&*", "+@all", "-evalsha", "-eval"
            )
        client = connect(Config(URL=f"redis://app:x@127.0.0.1:{server.port}/0"))
        use_client(client)
        try:
            change = text_of(boss, f"{LIST}{row.pk}/change/")
            asked = signed(boss.get(url("cancel", f"ids={row.pk}")))
            step = boss.post(url("cancel"), {"work": asked}).content.decode()
        finally:
            use_client(None)
            client.redis.close()
        for page in (change, step):
            assert "Redis does not answer" not in page
            assert "docs/redis.md" in page
        assert "data-halted" in step

    def test_one_that_is_done_is_nowhere_and_can_run_again(self, boss: Client, queue: QueueClient) -> None:
        row = job()
        html = text_of(boss, f"{LIST}{row.pk}/change/")
        assert "The message has left its queue." in html
        assert [verb for verb in VERBS if f"/all/{verb}/" in html] == ["rerun", "forget"]

    def test_a_queue_with_a_name_that_no_key_can_have(self, boss: Client, queue: QueueClient) -> None:
        assert "has left its queue" in text_of(boss, f"{LIST}{job(queue='a b <x>').pk}/change/")


def test_redis_away_does_not_keep_the_page_waiting(boss: Client) -> None:
    """One time-out, not one for each question."""
    asked: list[str] = []
    client = connect(Config(URL="redis://127.0.0.1:1/0", TIMEOUT=0.1))
    call_script = client.session.call

    def noting(call: Any) -> Any:
        asked.append(call.script)
        return call_script(call)

    client.session.call = noting  # type: ignore[method-assign]
    use_client(client)
    try:
        text_of(boss, f"{LIST}{job(state='dead').pk}/change/")
    finally:
        use_client(None)
    assert asked == ["peek"]


def test_a_job_whose_key_cannot_be_made_is_refused(boss: Client, queue: QueueClient):
    queue.create_queue("orders-by-key")
    handler("orders-by-key")(policy(concurrency=1, key=json.loads)(lambda message: None))
    page = do(boss, "rerun", f"ids={job(queue='orders-by-key', body='no JSON').pk}")
    assert said(page) == "1 skipped: the queue refused it."
    assert queue.peek_messages("orders-by-key") == []
