"""The rights for queues: every page and action, for each kind of user."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.client import QueueClient

LIST = "/admin/queueing/queue/"
#: A message whose id is known beforehand.
KNOWN = "d" * 10 + "0" * 22

#: Address below the list, the permission that it needs, and a form that changes something.
ACTIONS = {
    "add/": ("add_queue", {"name": "new", "vt": 30, "delay": 0, "maxsize": 65536}),
    "work/change/": ("change_queue", {"vt": 60, "initial-vt": 30, "delay": 0, "maxsize": 65536}),
    "work/delete/": ("delete_queue", {"post": "yes"}),
    "work/pause/": ("pause_queue", {"confirmed": 1}),
    "paused/resume/": ("pause_queue", {"confirmed": 1}),
    "work/send/": ("send_message", {"confirmed": 1, "body": "x"}),
    "work/redrive/": ("redrive_queue", {"confirmed": 1}),
    "work/move/": ("move_messages", {"confirmed": 1, "target": "paused"}),
    "work/purge/": ("purge_queue", {"confirmed": 1}),
    f"work/cancel/?ids={KNOWN}": ("cancel_job", {"confirmed": 1, "ids": KNOWN}),
    f"work/stop/?ids={KNOWN}": ("stop_job", {"confirmed": 1, "ids": KNOWN}),
}
#: Pages that change nothing.
VIEWS = (
    *("", "work/change/", "work/history/", "work/messages/", "work/messages/{id}/"),
    "work/messages/{id}/payload/",
)


@pytest.fixture
def message_id(shared_client: QueueClient) -> str:
    """The id of a message in the queue ``work``, which has a dead letter; ``paused`` is paused."""
    for name in ("work", "work-dead", "paused"):
        shared_client.create_queue(name)
    shared_client.pause_queue("paused")
    shared_client.send_message("work-dead", "dead")
    shared_client.redis.hset("rsmq:work:Q", KNOWN, "waits")
    shared_client.redis.zadd("rsmq:work", {KNOWN: 0})
    return shared_client.send_message("work", "alive")


def state(client: QueueClient) -> list[object]:
    """All that the actions could change, and no clock."""
    return [
        (q.name, q.paused, q.ready, q.dead, q.attributes.vt, q.attributes.totalsent)
        for q in client.queue_figures()
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*VIEWS, *ACTIONS])
def test_nobody_gets_anywhere_without_logging_in(shared_client: QueueClient, message_id: str, path: str):
    before = state(shared_client)
    for answer in (Client().get(LIST + path.format(id=message_id)), Client().post(LIST + path, {"a": 1})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert state(shared_client) == before


@pytest.mark.parametrize("path", [*VIEWS, *ACTIONS])
def test_a_user_without_a_right_gets_nowhere(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str, path: str
):
    browser = staff("view_job")
    assert browser.get(LIST + path.format(id=message_id)).status_code == 403
    before = state(shared_client)
    assert browser.post(LIST + path, {"confirmed": 1}).status_code in (403, 405)
    assert state(shared_client) == before


@pytest.mark.parametrize("path", VIEWS)
def test_a_user_with_the_right_to_view_sees_everything(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str, path: str
):
    answer = staff("view_queue").get(LIST + path.format(id=message_id))
    assert answer.status_code == 200
    html = answer.getvalue().decode()
    assert 'type="checkbox"' not in html
    assert not [
        action for action in ACTIONS if f"/{action.rpartition('/')[0]}/" in html and "change" not in action
    ]


@pytest.mark.parametrize("path", ACTIONS)
def test_a_user_with_the_right_to_view_alone_changes_nothing(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str, path: str
):
    viewer, (_codename, form), before = staff("view_queue"), ACTIONS[path], state(shared_client)
    if "change" not in path:
        assert viewer.get(LIST + path).status_code == 403
    assert viewer.post(LIST + path, form).status_code == 403
    assert state(shared_client) == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("path", ACTIONS)
def test_one_right_opens_its_own_action_and_no_other(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str, path: str
):
    codename, form = ACTIONS[path]
    browser = staff("view_queue", codename)
    for other, (needed, other_form) in ACTIONS.items():
        if needed != codename:
            assert browser.post(LIST + other, other_form).status_code == 403, other
    before = state(shared_client)
    assert browser.get(LIST + path).status_code == 200
    assert state(shared_client) == before
    assert browser.post(LIST + path, form).status_code == 302
    assert state(shared_client) != before
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("path", [path for path in ACTIONS if "confirmed" in ACTIONS[path][1]])
def test_an_action_alone_is_not_enough_without_the_right_to_look(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str, path: str
):
    codename, form = ACTIONS[path]
    assert staff(codename).post(LIST + path, form).status_code == 403


@pytest.mark.parametrize("path", ACTIONS)
def test_with_every_right_each_action_works(
    boss: Client, shared_client: QueueClient, message_id: str, path: str
):
    before = state(shared_client)
    assert boss.get(LIST + path).status_code == 200
    assert boss.post(LIST + path, ACTIONS[path][1]).status_code == 302
    assert state(shared_client) != before


@pytest.mark.parametrize("path", ACTIONS)
def test_no_action_works_without_a_token(
    boss: Client, shared_client: QueueClient, message_id: str, path: str
):
    boss.handler.enforce_csrf_checks = True
    before = state(shared_client)
    assert boss.post(LIST + path, ACTIONS[path][1]).status_code == 403
    assert state(shared_client) == before


@pytest.mark.parametrize("path", [path for path in ACTIONS if "confirmed" in ACTIONS[path][1]])
def test_an_unconfirmed_action_is_asked(boss: Client, shared_client: QueueClient, message_id: str, path: str):
    before = state(shared_client)
    form = {name: value for name, value in ACTIONS[path][1].items() if name != "confirmed"}
    answer = boss.post(LIST + path, form)
    assert answer.status_code == 200
    assert 'name="confirmed"' in answer.content.decode()
    assert state(shared_client) == before


def test_each_person_is_offered_what_the_person_may_do(
    staff: Callable[..., Client], shared_client: QueueClient, message_id: str
):
    html = staff("view_queue", "pause_queue", "purge_queue").get(LIST + "work/change/").content.decode()
    assert "work/pause/" in html
    assert "work/purge/" in html
    assert not [name for name in ("send", "move", "redrive", "resume", "delete") if f"work/{name}/" in html]
