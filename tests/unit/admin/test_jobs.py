"""The admin's list of processed jobs, and the page of one."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from queueing.models import Attempt, Job

from .jobs import LIST, NOON, job, listed, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_away")]  # nothing here needs Redis


class TestList:
    def test_newest_first_fifty_to_a_page(self, boss: Client) -> None:
        jobs = [job(number) for number in range(60)]

        html = text_of(boss, LIST)

        assert listed(html) == [row.message_id for row in reversed(jobs)][:50]

    def test_it_shows_what_became_of_each(self, boss: Client) -> None:
        job(state="dead", attempts=5, crashes=3, error="ValueError: no <b>", queue="emails")

        html = text_of(boss, LIST)

        for text in (
            "dead",
            "emails",
            "jobs.handlers.say",
            "0.020\xa0s",
            "0.40\xa0s",
            "ValueError: no &lt;b&gt;",
        ):
            assert text in html
        assert '<span class="quiet" title="attempts">×5</span>' in html

    def test_long_texts_are_not_read_for_it(self, boss: Client, django_assert_max_num_queries: Any) -> None:
        for number in range(5):
            job(number, body="secret payload" * 1000, error="e" * 5000)

        with django_assert_max_num_queries(12) as queries:
            html = text_of(boss, LIST)

        assert "secret payload" * 8 not in html
        assert "e" * 81 not in html
        assert not any(', "queueing_job"."body"' in query["sql"] for query in queries)

    def test_filters_by_state_and_queue(self, boss: Client) -> None:
        job(1, state="dead")
        job(2, queue="emails")
        job(3, state="dead", queue="emails")

        assert listed(text_of(boss, LIST + "?state=dead")) == [f"id{3:030}", f"id{1:030}"]
        assert listed(text_of(boss, LIST + "?queue=emails")) == [f"id{3:030}", f"id{2:030}"]
        assert listed(text_of(boss, LIST + "?queue=emails&state=dead")) == [f"id{3:030}"]
        assert listed(text_of(boss, LIST + "?queue=nothere")) == []

    def test_the_queue_filter_hops_along_the_index(
        self, boss: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(70):
            job(number, queue=f"q{number % 60:02}")

        with django_assert_max_num_queries(65) as queries:
            html = text_of(boss, LIST)

        assert "?queue=q49" in html
        assert "?queue=q50" not in html
        assert not any("DISTINCT" in query["sql"] for query in queries)

    def test_search_by_id_whole_or_its_beginning(self, boss: Client) -> None:
        rows = [job(number) for number in (7, 8, 17)]

        assert listed(text_of(boss, f"{LIST}?q={rows[0].message_id}")) == [rows[0].message_id]
        assert listed(text_of(boss, f"{LIST}?q=%20id{'0' * 28}%20")) == [row.message_id for row in rows[::-1]]
        assert listed(text_of(boss, LIST + "?q=17")) == []

    def test_the_help_says_from_which_length_on_a_beginning_is_one(self, boss: Client) -> None:
        row = job(message_id="fjzq0a1b" + "x" * 24)

        assert "at least its first 8 characters" in text_of(boss, LIST)
        assert row.message_id in text_of(boss, f"{LIST}?q=fjzq0a1b")
        assert row.message_id not in text_of(boss, f"{LIST}?q=fjzq0a1")

    @pytest.mark.parametrize(
        "query", ["q=%00", "queue=%00", "p=99999999", "p=x", "o=1.2.3", "state__exact=%3Cb%3E"]
    )
    def test_odd_query_strings_do_no_harm(self, boss: Client, query: str) -> None:
        job()

        assert boss.get(f"{LIST}?{query}", follow=True).status_code == 200


class TestPage:
    def page(self, browser: Client, row: Job) -> str:
        return text_of(browser, f"{LIST}{row.pk}/change/")

    def test_payload_timeline_and_attempts(self, boss: Client) -> None:
        row = job(state="dead", attempts=2, rc=2, error="ValueError: last")
        for rc, outcome in ((1, "retrying"), (2, "dead")):
            Attempt.objects.create(
                job=row,
                rc=rc,
                outcome=outcome,
                started_at=NOON + timedelta(seconds=rc),
                finished_at=NOON + timedelta(seconds=rc + 0.5),
                worker=f"host:{rc}",
                error=f"ValueError: number {rc}",
                traceback=f"Traceback {rc}\n  File <x>",
            )

        html = self.page(boss, row)

        timeline = html.partition('class="queueing-timeline"')[2].partition("</ol>")[0]
        words = re.findall(r'data-state="([\w ]+)"', timeline)
        assert words == ["sent", "running", "retrying", "running", "dead"]
        assert "after 1.0\xa0s" in timeline
        assert "ValueError: number 1" in timeline
        assert "Traceback 2\n  File &lt;x&gt;" in timeline

    def test_a_job_without_recorded_attempts_has_its_own(self, boss: Client) -> None:
        html = self.page(boss, job())

        assert re.findall(r'data-state="([\w ]+)"', html.partition("queueing-timeline")[2]) == [
            "sent",
            "running",
            "done",
        ]

    def test_a_job_of_which_only_the_end_is_known(self, boss: Client) -> None:
        row = job(
            sent_at=None, started_at=None, wait_ms=None, run_ms=None, handler="", worker="", state="gone"
        )

        assert "gone" in self.page(boss, row)

    def test_json_is_laid_out_with_its_numbers_untouched(self, boss: Client) -> None:
        row = job(body='{"n":12345678901234567890123,"f":1.10,"e":[1e400,-0.0],"none":{}}')

        html = self.page(boss, row)

        assert (
            "{\n  &quot;n&quot;: 12345678901234567890123,\n  &quot;f&quot;: 1.10,\n  &quot;e&quot;: [\n"
            "    1e400,\n    -0.0\n  ],\n  &quot;none&quot;: {}\n}"
        ) in html

    def test_secrets_are_struck_out(self, boss: Client) -> None:
        row = job(body='{"user": "ada", "Password": "geheim", "nested": {"api_token": ["geheim"]}}')

        html = self.page(boss, row)

        assert "geheim" not in html
        assert "&quot;Password&quot;: &quot;[redacted]&quot;" in html

    def test_errors_and_tracebacks_that_repeat_a_secret_are_struck_out(self, boss: Client) -> None:
        said = "KeyError: {'password': 'geheim', 'n': 1}"
        row = job(state="dead", error=said, exception="KeyError")
        row.history.create(
            rc=1,
            outcome="dead",
            finished_at=row.finished_at,
            error=said,
            traceback=f"  login(token='geheim')\n{said}",
        )

        html = self.page(boss, row)

        assert "geheim" not in html
        assert html.count("&#x27;password&#x27;: &#x27;[redacted]&#x27;, &#x27;n&#x27;: 1") == 3
        assert "login(token=&#x27;[redacted]&#x27;)" in html
        assert "geheim" not in text_of(boss, LIST)

    def test_a_cut_payload_is_marked_and_shows_no_secret(self, boss: Client) -> None:
        row = job(body='{"user": "ada", "password": "gehei', body_is_whole=False)

        html = self.page(boss, row)

        assert "gehei" not in html
        assert "not the whole payload" in html
        assert "The payload is not stored." in self.page(boss, job(2, body="", body_is_whole=False))

    def test_a_job_without_handler_and_payload_is_shown_by_its_id(self, boss: Client) -> None:
        row = job(handler="", body="", body_is_whole=False)

        assert row.message_id in text_of(boss, LIST)
        assert "<h2>…</h2>" not in self.page(boss, row)

    def test_long_texts_are_shown_by_their_beginnings_and_a_payload_can_be_had_whole(
        self, boss: Client
    ) -> None:
        body = json.dumps(
            {"password": "geheim", "text": "x" * 300_000 + "!", "last": "é"}, ensure_ascii=False
        )
        row = job(body=body, error="E" * 150_000, state="dead")
        Attempt.objects.create(
            job=row, rc=1, outcome="dead", finished_at=NOON, error="E" * 150_000, traceback="T" * 150_000
        )

        html = self.page(boss, row)

        assert len(html) < 300_000
        assert f"… and {len(body) - 100_000:,} more characters" in html
        assert "… and 50,000 more characters" in html
        assert f"Download all {len(body):,} characters" in html
        assert "geheim" not in html
        answer = boss.get(f"{LIST}{row.pk}/change/payload/")
        assert answer["Content-Disposition"] == f'attachment; filename="payload-{row.message_id}.txt"'
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        parts = list(answer.streaming_content)
        assert len(parts) > 1
        assert b"".join(parts).decode() == body.replace('"geheim"', '"[redacted]"')

    def test_a_payload_that_fits_the_page_is_offered_nowhere_else(self, boss: Client) -> None:
        assert "Download" not in self.page(boss, job(body="x" * 100_000))

    def test_the_result_is_laid_out_and_its_secrets_are_struck_out(self, boss: Client) -> None:
        row = job(result='{"n":12345678901234567890123,"token":"geheim","text":"<b>\\u202e"}')

        html = self.page(boss, row)

        assert "<label>Result:</label>" in html
        assert (
            "{\n  &quot;n&quot;: 12345678901234567890123,\n  &quot;token&quot;: &quot;[redacted]&quot;,\n"
            "  &quot;text&quot;: &quot;&lt;b&gt;\\u202e&quot;\n}"
        ) in html
        assert "geheim" not in html

    def test_a_long_result_is_shown_by_its_beginning_and_can_be_had_whole(self, boss: Client) -> None:
        result = json.dumps({"password": "geheim", "rows": "x" * 300_000})
        row = job(result=result)

        html = self.page(boss, row)

        assert len(html) < 300_000
        assert f"… and {len(result) - 100_000:,} more characters" in html
        assert f'<a href="result/" download>Download all {len(result):,} characters</a>' in html
        answer = boss.get(f"{LIST}{row.pk}/change/result/")
        assert answer["Content-Disposition"] == f'attachment; filename="result-{row.message_id}.txt"'
        assert b"".join(answer.streaming_content).decode() == result.replace('"geheim"', '"[redacted]"')

    def test_an_absent_value_of_a_job_has_no_row(self, boss: Client) -> None:
        labels = re.compile(r"<label>(\w[^<]*):</label>")

        assert {"Error", "Result"}.isdisjoint(labels.findall(self.page(boss, job())))
        assert "Error" in labels.findall(self.page(boss, job(2, error="ValueError: no", state="dead")))
        html = self.page(boss, job(3, handler="", worker=""))
        assert re.search(r"Task or handler:</label>\s*<div class=\"readonly\">-</div>", html)
        assert re.search(r"Worker:</label>\s*<div class=\"readonly\">-</div>", html)

    def test_the_reason_of_a_cancellation_is_not_an_error(self, boss: Client) -> None:
        html = self.page(boss, job(state="cancelled", error="cancelled by boss"))

        assert re.search(
            r"<label>Reason:</label>\s*<div class=\"readonly\"><pre[^>]*>cancelled by boss</pre>", html
        )
        assert "<label>Error:</label>" not in html

    @pytest.mark.parametrize("file", ["payload", "result"])
    def test_a_user_without_the_right_to_view_gets_no_payload(
        self, boss: Client, staff: Callable[..., Client], file: str
    ) -> None:
        row = job()
        assert staff().get(f"{LIST}{row.pk}/change/{file}/").status_code == 403
        assert Client().get(f"{LIST}{row.pk}/change/{file}/").status_code == 302
        assert boss.get(f"{LIST}{row.pk + 1}/change/{file}/").status_code == 404

    def test_related_objects_are_linked(self, boss: Client) -> None:
        html = self.page(boss, job(queue="a&b", handler="h<1>", exception="Some Error", state="dead"))

        assert f'href="{LIST}?queue=a%26b"' in html
        assert f'href="{LIST}?handler=h%3C1%3E"' in html
        assert f'href="{LIST}?exception=Some%20Error"' in html

    def test_more_attempts_than_are_shown(self, boss: Client) -> None:
        row = job(rc=60)
        Attempt.objects.bulk_create(
            Attempt(job=row, rc=rc, outcome="retrying", finished_at=NOON + timedelta(seconds=rc))
            for rc in range(1, 61)
        )

        html = self.page(boss, row)

        assert "Only the newest 50 attempts are shown." in html
        assert "delivery 11<" in html
        assert "delivery 10<" not in html

    def test_hostile_text_is_text(self, boss: Client) -> None:
        evil = "<script>alert(1)</script>{{ 7|add:7 }}\u202e\x1b"
        row = job(body=evil, error=evil, handler=evil, worker=evil, queue=evil)
        Attempt.objects.create(
            job=row, rc=1, outcome="dead", finished_at=NOON, worker=evil, error=evil, traceback=evil
        )

        for html in (self.page(boss, row), text_of(boss, LIST)):
            assert "<script>alert" not in html
            assert "\u202e" not in html
            assert "\x1b" not in html
            assert r"&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}\u202e\u001b" in html

    def test_it_cannot_be_changed(self, boss: Client) -> None:
        row = job()

        assert "_save" not in self.page(boss, row)
        assert boss.post(f"{LIST}{row.pk}/change/", {"state": "dead"}).status_code == 403
        assert boss.get(LIST + "add/").status_code == 403
        row.refresh_from_db()
        assert row.state == "done"

    def test_one_that_was_pruned(self, boss: Client) -> None:
        assert "doesn’t exist" in boss.get(LIST + "4711/change/", follow=True).content.decode()


class TestRights:
    def test_nobody_sees_them_without_logging_in(self) -> None:
        row = job()

        for path in (LIST, f"{LIST}{row.pk}/change/"):
            assert Client().get(path)["Location"].startswith("/admin/login/")

    def test_without_a_right_there_is_nothing(self, staff: Callable[..., Client]) -> None:
        row, browser = job(), staff("view_queue")

        for path in (LIST, f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/history/"):
            assert browser.get(path).status_code == 403

    def test_a_user_with_the_right_to_view_cannot_delete(self, staff: Callable[..., Client]) -> None:
        row, viewer = job(), staff("view_job")

        assert listed(text_of(viewer, LIST)) == [row.message_id]
        assert "Hello" in text_of(viewer, f"{LIST}{row.pk}/change/")
        assert "Delete" not in text_of(viewer, f"{LIST}{row.pk}/change/")
        assert viewer.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}, follow=True).status_code == 403
        assert Job.objects.count() == 1

    @pytest.mark.usefixtures("redis_away")
    def test_a_user_who_may_delete_is_asked_in_one_way_for_any_link(
        self, staff: Callable[..., Client]
    ) -> None:
        row, deleter = job(body="secret text"), staff("view_job", "delete_job")
        Attempt.objects.create(job=row, rc=1, outcome="done", finished_at=NOON, traceback="T" * 9000)
        question = f"{LIST}all/forget/?ids={row.pk}"

        page = text_of(deleter, f"{LIST}{row.pk}/change/")
        with CaptureQueriesContext(connection) as queries:
            asked = deleter.get(f"{LIST}{row.pk}/delete/", follow=True)

        assert f'<a href="{question}" data-action>Delete from the history…</a>' in page
        assert f"{row.pk}/delete/" not in page
        assert asked.redirect_chain == [(question, 302)]
        assert "Delete 1 job from the history?" in asked.content.decode()
        assert not any('"traceback"' in query["sql"] or '"body"' in query["sql"] for query in queries)
        assert deleter.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})["Location"] == question
        assert Job.objects.count() == 1
