"""Each action on a queue: its question, effect, message and log entry."""

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client

from queueing.admin import long_actions
from queueing.broker.leases import QueueLease
from queueing.broker.scripts import Call
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.handlers import handler, policy
from queueing.messages import QueuePolicy

LIST = "/admin/queueing/queue/"
WORK = LIST + "work/"


@pytest.fixture
def queue(shared_client: QueueClient) -> QueueClient:
    shared_client.create_queue("work")
    return shared_client


@pytest.fixture
def press(boss: Client) -> Callable[..., str]:
    """Confirms an action on ``work``, and returns the text of the page on which one ends."""

    def post(action: str, **form: object) -> str:
        return text(boss.post(f"{WORK}{action}/", {"confirmed": 1, **form}, follow=True))

    return post


def text(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def logged() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def bodies(client: QueueClient, name: str) -> list[str]:
    return [message.body for message in client.peek_messages(name)]


class TestCreate:
    form = {"name": "new-one", "vt": 5, "delay": 6, "maxsize": 2048}

    def test_it_makes_the_queue_with_its_attributes(self, boss: Client, queue: QueueClient):
        html = text(boss.post(LIST + "add/", self.form, follow=True))
        attributes = queue.get_queue_attributes("new-one")
        assert (attributes.vt, attributes.delay, attributes.maxsize) == (5, 6, 2048)
        assert "was added successfully" in html
        assert logged() == ["Created with vt 5, delay 6, maxsize 2048."]

    def test_the_form_begins_with_what_rsmq_gives(self, boss: Client, queue: QueueClient):
        html = text(boss.get(LIST + "add/"))
        assert re.findall(r'name="(vt|delay|maxsize)" value="(-?\d+)"', html) == [
            ("vt", "30"),
            ("delay", "0"),
            ("maxsize", "65536"),
        ]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("name", "a b"), ("name", "QUEUES"), ("name", "a" * 161), ("vt", -1), ("maxsize", 5)],
    )
    def test_a_value_that_rsmq_refuses_is_refused_on_its_field(
        self, boss: Client, queue: QueueClient, field: str, value: object
    ):
        answer = boss.post(LIST + "add/", {**self.form, field: value})
        assert field in answer.context["adminform"].form.errors
        assert queue.list_queues() == ["work"]
        assert logged() == []

    def test_one_that_is_there_already_is_left_alone(self, boss: Client, queue: QueueClient):
        html = text(boss.post(LIST + "add/", {**self.form, "name": "work"}, follow=True))
        assert "A queue with this name exists." in html
        assert queue.get_queue_attributes("work").vt == 30
        assert logged() == []


class TestDelete:
    def test_it_asks_with_the_number_and_takes_the_messages_along(self, boss: Client, queue: QueueClient):
        queue.send_messages("work", ["a", "b"])
        assert "Delete the queue work with its 2 messages?" in text(boss.get(WORK + "delete/"))
        html = text(boss.post(WORK + "delete/", {"post": "yes"}, follow=True))
        assert "was deleted successfully" in html
        assert queue.list_queues() == []
        assert logged() == ["Deleted with 2 messages."]

    def test_one_that_is_gone_meanwhile(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ):
        delete = QueueClient.delete_queue
        monkeypatch.setattr(
            QueueClient, "delete_queue", lambda self, name: (delete(self, name), delete(self, name))
        )
        html = text(boss.post(WORK + "delete/", {"post": "yes"}, follow=True))
        assert "Nothing was changed: Queue not found." in html
        assert logged() == []


class TestPolicies:
    loaded = {"vt": 30, "delay": 0, "maxsize": 65536}

    def post(self, boss: Client, name: str = "work", **changes: object) -> HttpResponse:
        initial = {f"initial-{key}": value for key, value in self.loaded.items()}
        return boss.post(f"{LIST}{name}/change/", {**self.loaded, **initial, **changes})

    def test_they_are_set_and_logged(self, boss: Client, queue: QueueClient):
        assert self.post(boss, max_receive_count=3, retention_seconds=60).status_code == 302
        assert queue.get_queue_policy("work") == QueuePolicy(3, "work-dead", 60)
        assert logged() == ["max_receive_count – → 3, retention_seconds – → 60"]

    def test_they_are_taken_away(self, boss: Client, queue: QueueClient):
        queue.set_redrive_policy("work", 3)
        queue.set_retention("work", 60)
        before = {"initial-max_receive_count": 3, "initial-dead_letter_queue": "work-dead"}
        self.post(boss, **before, **{"initial-retention_seconds": 60})
        assert queue.get_queue_policy("work") == QueuePolicy()

    def test_an_unedited_value_stays(self, boss: Client, queue: QueueClient):
        queue.set_redrive_policy("work", 3, "morgue")
        self.post(boss, vt=60)
        assert queue.get_queue_policy("work").dead_letter_queue == "morgue"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("max_receive_count", 0),
            ("max_receive_count", 1001),
            ("retention_seconds", 0),
            ("retention_seconds", 10_000_000),
            ("dead_letter_queue", "a b"),
            ("dead_letter_queue", "work"),
        ],
    )
    def test_a_value_out_of_bounds_is_refused_on_its_field(
        self, boss: Client, queue: QueueClient, field: str, value: object
    ):
        answer = self.post(boss, **{"max_receive_count": 3, field: value})
        assert field in answer.context["adminform"].form.errors
        assert queue.get_queue_policy("work") == QueuePolicy()

    def test_a_dead_letter_queue_alone_is_not_a_policy(self, boss: Client, queue: QueueClient):
        answer = self.post(boss, dead_letter_queue="morgue")
        assert "max_receive_count" in answer.context["adminform"].form.errors

    def test_the_jobs_of_dead_letters_are_those_of_their_queue(self, boss: Client, queue: QueueClient):
        queue.create_queue("work-dead")
        assert '/job/?queue=work&amp;state=dead"' in text(boss.get(LIST + "work-dead/change/"))
        assert '/job/?queue=work"' in text(boss.get(LIST + "work/change/"))

    def test_dead_letters_have_none_of_their_own_but_a_retention(self, boss: Client, queue: QueueClient):
        queue.create_queue("work-dead")
        html = text(boss.get(LIST + "work-dead/change/"))
        assert "work-dead-dead" not in html
        assert 'name="max_receive_count"' not in html
        self.post(boss, "work-dead", retention_seconds=5)
        assert queue.get_queue_policy("work-dead").retention_seconds == 5


class TestPause:
    def test_it_pauses_and_resumes(self, press: Callable[..., str], queue: QueueClient):
        assert "Paused work: it accepts messages and gives none out." in press("pause")
        assert queue.get_queue_policy("work").paused
        assert "Resumed work." in press("resume")
        assert not queue.get_queue_policy("work").paused
        assert logged() == ["Paused work: it accepts messages and gives none out.", "Resumed work."]

    def test_list_and_page_show_it(self, boss: Client, queue: QueueClient):
        queue.pause_queue("work")
        for html in (text(boss.get(LIST)), text(boss.get(WORK + "change/"))):
            assert 'data-state="paused">paused<' in html
            assert "work/resume/" in html
            assert "work/pause/" not in html


class TestSend:
    def test_a_message_is_sent(self, press: Callable[..., str], queue: QueueClient):
        html = press("send", body="two\r\nlines", delay=60, headers="tenant=a=b\r\n\r\n kind = x")
        [message] = queue.peek_messages("work")
        assert (message.body, message.state) == ("two\nlines", "delayed")
        assert message.headers == {"tenant": "a=b", "kind": "x"}
        assert f"Sent the message {message.id} to work." in html
        assert logged() == [f"Sent the message {message.id} to work."]

    def test_an_empty_one_is_one_too(self, press: Callable[..., str], queue: QueueClient):
        press("send", body="")
        assert bodies(queue, "work") == [""]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("delay", -1),
            ("delay", 10_000_000),
            ("delay", "soon"),
            ("headers", "no equals sign"),
            ("headers", "=x"),
            ("headers", "a=1\na=2"),
            ("headers", "\n".join(f"h{number}=1" for number in range(51))),
            ("body", "é" * 65_537),
        ],
    )
    def test_an_unsendable_value_is_refused_on_its_field(
        self, boss: Client, queue: QueueClient, field: str, value: object
    ):
        answer = boss.post(WORK + "send/", {"confirmed": 1, "body": "x", field: value})
        assert field in answer.context["form"].errors
        assert bodies(queue, "work") == []
        assert logged() == []

    def test_the_error_of_a_key_function_is_shown_on_the_body(
        self, press: Callable[..., str], queue: QueueClient
    ):
        handler("work")(policy(concurrency=1, key=lambda body: {}[body])(lambda message: None))
        assert "KeyError: &#x27;x&#x27;" in press("send", body="x")
        assert bodies(queue, "work") == []


class TestPurge:
    def test_it_asks_with_the_number_and_deletes_all(
        self, boss: Client, press: Callable[..., str], queue: QueueClient
    ):
        queue.send_messages("work", ["x"] * 30)
        queue.send_message("work", "later", delay=60)
        assert "Delete 31 messages of work?" in text(boss.get(WORK + "purge/"))
        assert "Deleted 31 messages of work." in press("purge")
        assert queue.get_queue_attributes("work").msgs == 0
        assert logged() == ["Deleted 31 messages of work."]

    def test_an_empty_queue_is_not_offered_it(self, boss: Client, queue: QueueClient):
        assert "work/purge/" not in text(boss.get(WORK + "change/"))


class TestLongWork:
    """Slices of no time at all, so that each request does one step of 200."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(long_actions, "SLICE_SECONDS", 0.0)

    def signed(self, html: str) -> str:
        return re.findall(r'name="work" value="([^"]+)"', html)[0]

    def test_each_request_does_a_part_and_one_entry_logs_all(
        self, boss: Client, press: Callable[..., str], queue: QueueClient
    ):
        queue.send_messages("work", ["x"] * 450)
        html = press("purge")
        assert "200 of 450 done." in html
        assert queue.get_queue_attributes("work").msgs == 250
        assert logged() == ["Deleted 200 messages of work. So far."]
        html = text(boss.post(WORK + "purge/", {"work": self.signed(html)}))
        assert "400 of 450 done." in html
        html = text(boss.post(WORK + "purge/", {"work": self.signed(html)}, follow=True))
        assert "Deleted 450 messages of work." in html
        assert logged() == ["Deleted 450 messages of work."]
        assert queue.get_queue_attributes("work").msgs == 0

    def test_a_move_goes_on_to_the_number_that_was_named(
        self, boss: Client, press: Callable[..., str], queue: QueueClient
    ):
        queue.create_queue("other")
        queue.send_messages("work", ["x"] * 700)
        html = press("move", target="other", count=450)
        for done in (200, 400):
            assert f"{done} of 450 done." in html
            html = text(boss.post(WORK + "move/", {"work": self.signed(html)}, follow=True))
        assert "Moved 450 messages from work to other." in html
        assert [queue.get_queue_attributes(name).msgs for name in ("work", "other")] == [250, 450]

    def test_nobody_else_can_continue_it_nor_elsewhere(
        self, boss: Client, press: Callable[..., str], queue: QueueClient, staff: Callable[..., Client]
    ):
        queue.create_queue("other")
        for name in ("work", "other"):
            queue.send_messages(name, ["x"] * 300)
        work = {"work": self.signed(press("purge"))}
        for browser, path in ((boss, "other/purge/"), (staff("view_queue", "purge_queue"), "work/purge/")):
            assert "too old to continue" in text(browser.post(LIST + path, work, follow=True))
        assert "too old to continue" in text(boss.post(WORK + "purge/", {"work": "forged"}, follow=True))
        assert [queue.get_queue_attributes(name).msgs for name in ("work", "other")] == [100, 300]

    def test_an_interrupted_work_is_logged_with_its_progress(
        self, press: Callable[..., str], queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(long_actions, "SLICE_SECONDS", 60.0)
        queue.send_messages("work", ["x"] * 450)
        run, scripts = queue.session.call, []

        def runs(call: Call) -> object:
            scripts.append(call.script)
            if scripts.count("purge") == 2:  # another program deletes the queue meanwhile
                queue.redis.delete("rsmq:work:Q", "rsmq:work")
            return run(call)

        monkeypatch.setattr(queue.session, "call", runs)
        assert "Then an error stopped it: Queue not found." in press("purge")
        assert logged() == ["Deleted 200 messages of work. Then an error stopped it: Queue not found."]


class TestRedrive:
    @pytest.fixture
    def ids(self, queue: QueueClient) -> list[str]:
        queue.create_queue("work-dead")
        return queue.send_messages("work-dead", ["a", "b", "c"])

    def test_all_come_back(self, boss: Client, press: Callable[..., str], queue: QueueClient, ids: list[str]):
        assert "Move 3 messages from work-dead back to work?" in text(boss.get(WORK + "redrive/"))
        assert "Moved 3 messages from work-dead to work." in press("redrive")
        assert bodies(queue, "work") == ["a", "b", "c"]
        assert logged() == ["Moved 3 messages from work-dead to work."]

    def test_a_given_number_of_the_first_come_back(
        self, press: Callable[..., str], queue: QueueClient, ids: list[str]
    ):
        assert "Moved 2 messages" in press("redrive", count=2)
        assert bodies(queue, "work") == ["a", "b"]

    def test_those_that_were_ticked_come_back(
        self, boss: Client, press: Callable[..., str], queue: QueueClient, ids: list[str]
    ):
        page = text(boss.get(LIST + "work-dead/messages/"))
        assert f'value="{ids[1]}"' in page
        assert f'formaction="{WORK}redrive/"' in page
        asked = text(boss.post(WORK + "redrive/", {"ids": [ids[1], ids[2]]}))
        assert "Move 2 selected messages from work-dead back to work?" in asked
        assert asked.count('type="hidden" name="ids"') == 2
        assert 'name="count"' not in asked
        assert bodies(queue, "work") == []
        press("redrive", ids=[ids[1], ids[2]])
        assert bodies(queue, "work") == ["b", "c"]

    def test_an_absent_message_is_reported(
        self, press: Callable[..., str], queue: QueueClient, ids: list[str]
    ):
        queue.delete_message("work-dead", ids[0])
        assert "Moved 1 message from work-dead to work. 1 selected message is not ready there." in press(
            "redrive", ids=ids[:2]
        )

    @pytest.mark.parametrize("id", ["x", "<script>", "a" * 33, "' OR 1"])
    def test_an_invalid_id_is_refused(self, boss: Client, queue: QueueClient, ids: list[str], id: str):
        html = text(boss.post(WORK + "redrive/", {"confirmed": 1, "ids": [id]}))
        assert "The id of a selected message is not valid" in html
        assert bodies(queue, "work") == []

    def test_another_dead_letter_queue_is_found_by_the_policy(
        self, boss: Client, press: Callable[..., str], queue: QueueClient
    ):
        queue.create_queue("morgue")
        queue.set_redrive_policy("work", 3, "morgue")
        queue.send_message("morgue", "m")
        assert "morgue/change/" in text(boss.get(WORK + "change/"))
        assert "work/redrive/" not in text(boss.get(LIST + "morgue/messages/"))
        assert "work/redrive/" in text(boss.get(LIST + "morgue/messages/?of=work"))
        assert "Moved 1 message from morgue to work." in press("redrive")

    def test_the_list_leads_to_the_dead_letters(self, boss: Client, ids: list[str]):
        assert '<a href="/admin/queueing/queue/work-dead/change/">3</a>' in text(boss.get(LIST))


class TestMove:
    @pytest.fixture
    def ids(self, queue: QueueClient) -> list[str]:
        queue.create_queue("other")
        return queue.send_messages("work", ["a", "b", "c"])

    def test_ready_messages_move(
        self, boss: Client, press: Callable[..., str], queue: QueueClient, ids: list[str]
    ):
        queue.send_message("work", "later", delay=60)
        asked = text(boss.get(WORK + "move/"))
        assert "Move 3 messages from work to another queue?" in asked
        assert '<option value="other">' in asked
        assert "Moved 3 messages from work to other." in press("move", target="other")
        assert bodies(queue, "other") == ["a", "b", "c"]
        assert bodies(queue, "work") == ["later"]

    def test_those_that_were_ticked_move(self, press: Callable[..., str], queue: QueueClient, ids: list[str]):
        assert "Moved 1 message from work to other." in press("move", target="other", ids=[ids[2]])
        assert bodies(queue, "other") == ["c"]

    @pytest.mark.parametrize("target", ["", "nowhere", "work", "<script>", "QUEUES"])
    def test_a_target_that_is_none_is_refused_on_its_field(
        self, boss: Client, queue: QueueClient, ids: list[str], target: str
    ):
        answer = boss.post(WORK + "move/", {"confirmed": 1, "target": target})
        assert "target" in answer.context["form"].errors
        assert "<script>" not in answer.content.decode().partition("<form method")[2]
        assert len(bodies(queue, "work")) == 3
        assert logged() == []


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("redrive", "The queue work has no dead letters to move back."),
        ("move", "The queue work has no ready message to move."),
        ("purge", "The queue work has no message to delete. Running messages are kept."),
    ],
)
class TestNothingToDo:
    @pytest.fixture(autouse=True)
    def _one_runs(self, queue: QueueClient) -> None:
        queue.create_queue("work-dead")
        queue.create_queue("other")
        queue.send_message("work", "runs")
        lease = QueueLease(queue.session, Config(), "host:1.1", "work")
        assert lease.read_claim(queue.session.call_each([lease.claim(1, suspects="take")])[0]).deliveries

    def test_it_explains_this_and_has_no_button(self, boss: Client, action: str, sentence: str) -> None:
        for answer in (boss.get(f"{WORK}{action}/"), boss.post(f"{WORK}{action}/", {"ids": "d" * 32})):
            html = text(answer)
            assert sentence in html
            assert 'name="confirmed"' not in html
            assert "submit" not in html.partition('id="content-main"')[2]

    def test_confirmed_all_the_same_it_changes_and_logs_nothing(
        self, press: Callable[..., str], queue: QueueClient, action: str, sentence: str
    ) -> None:
        before = queue.queue_figures()

        assert sentence in press(action, target="other")

        assert [q.attributes.msgs for q in queue.queue_figures()] == [q.attributes.msgs for q in before]
        assert logged() == []


@pytest.mark.parametrize("action", ["pause", "send", "purge", "redrive", "move", "messages"])
class TestNoSuchQueue:
    def test_one_that_is_not_there(self, boss: Client, queue: QueueClient, action: str):
        html = text(boss.get(f"{LIST}nothere/{action}/", follow=True))
        assert "doesn’t exist" in html

    @pytest.mark.parametrize("name", ["<script>alert(1)</script>", "safe\u202egpj", "nul\0"])
    def test_one_of_a_foreign_name(self, boss: Client, queue: QueueClient, action: str, name: str):
        from django.contrib.admin.utils import quote

        queue.redis.hset(f"rsmq:{name}:Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})
        html = text(boss.get(f"{LIST}{quote(name)}/{action}/", follow=True))
        assert "RSMQ does not allow this name" in html
        assert not re.search("<script>alert|\u202e|\0", html)
        page = boss.get(f"{LIST}{quote(name)}/change/")
        assert not re.search(rf"/{action}/|name=\"_save\"|deletelink", text(page))


@pytest.mark.usefixtures("redis_away")
@pytest.mark.parametrize("action", ["pause", "send", "purge", "redrive", "move", "delete", "messages"])
def test_without_redis_each_page_shows_an_error_and_does_nothing(boss: Client, action: str):
    html = text(boss.get(f"{WORK}{action}/"))
    assert "Redis does not answer" in html
    assert "secret" not in html
    if action != "messages":
        html = text(boss.post(f"{WORK}{action}/", {"confirmed": 1, "post": "yes"}))
        assert "It is not known whether your change was saved" in html
    assert logged() == []


@pytest.mark.usefixtures("redis_away")
def test_without_redis_no_queue_is_made(boss: Client):
    html = text(boss.post(LIST + "add/", TestCreate.form))
    assert "Redis does not answer" in html
    assert logged() == []


@pytest.mark.usefixtures("redis_away")
def test_without_redis_no_action_can_be_pressed(boss: Client):
    html = text(boss.get(WORK + "change/"))
    assert html.count('aria-disabled="true"') == 7
    assert "work/purge/" not in html
    assert 'aria-disabled="true" class="addlink"' in text(boss.get(LIST))
