"""The limits of a queue on its page, and the reason why a message waits."""

import pytest

from queueing.broker.leases import QueueLease
from queueing.conf import Config
from queueing.policies import limits
from queueing.policies.limits import Limit

WORK = "/admin/queueing/queue/work/"


@pytest.fixture
def waiting(shared_client):
    """The queue ``work`` with one running message of a key, and two that wait for it."""
    shared_client.create_queue("work")
    for _ in range(3):
        shared_client.send_message(
            "work", "text", headers=limits.headers(Limit(concurrency=1), "call", "ada")
        )
    lease = QueueLease(shared_client.session, Config(LEASE=60), "child", "work")
    shared_client.session.call(lease.claim(10, suspects="take"))
    return shared_client


@pytest.mark.usefixtures("waiting")
def test_the_page_of_a_queue_shows_the_keys_for_which_messages_wait(boss):
    html = boss.get(WORK, follow=True).content.decode()
    assert "<bdi>call &quot;ada&quot;</bdi></th><td>1</td><td>2</td>" in html
    assert html.count("waits for a limit") == 2


def test_a_message_shows_why_it_waits(boss, waiting):
    [*_, one] = [one for one in waiting.peek_messages("work") if one.waits_for_limit]
    html = boss.get(f"{WORK}messages/{one.id}/", follow=True).content.decode()
    assert "waits for a limit" in html


def test_the_limit_of_a_whole_queue_is_shown(boss, shared_client, settings):
    shared_client.create_queue("work")
    assert "queueing-limits" not in boss.get(WORK, follow=True).content.decode()
    settings.QUEUEING = {**settings.QUEUEING, "LIMITS": {"work": {"rate": "10/s", "concurrency": 3}}}
    html = boss.get(WORK, follow=True).content.decode()
    assert "<td>3</td><td>10/s</td><td>0</td>" in html
