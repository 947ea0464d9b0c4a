"""The header of a limited message, and the limit of a whole queue."""

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from queueing import handlers
from queueing.broker.leases import QueueLease
from queueing.conf import Config, get_conf
from queueing.handlers import handler, policy
from queueing.messages import Draft
from queueing.policies import limits
from queueing.policies.limits import Limit
from queueing.testing import fake_queues


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(handlers, "_handlers", {})
    monkeypatch.setattr(handlers, "_is_discovered", True)


@pytest.fixture
def client():
    with fake_queues() as client:
        client.create_queue("mail")
        yield client


def headers_in(client, queue="mail"):
    return [dict(message.headers) for message in client.peek_messages(queue)]


def per_customer(queue="mail"):
    @handler(queue)
    @policy(concurrency=3, rate="10/s", key=lambda body: body.split()[0])
    def send(message): ...

    return f"{send.__module__}.{send.__qualname__}"


@pytest.mark.parametrize(
    ("rate", "interval_us"),
    [("10/s", 100_000), ("1/min", 60_000_000), ("1000/h", 3_600_000), ("5/d", 17_280_000_000), ("", 0)],
)
def test_a_rate_is_an_interval_between_two_starts(rate, interval_us):
    assert Limit(rate).interval_us == interval_us


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": "10"}, {"rate": "0/s"}, {"rate": 10}, {"rate": "10/w"}, {"rate": "1.5/s"},
        {"concurrency": 0}, {"concurrency": True}, {"concurrency": "3"}, {"concurrency": 10**9},
        {"key": "customer", "rate": "1/s"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_limit_is_refused_at_import(wrong):
    with pytest.raises(ImproperlyConfigured):
        policy(**wrong)


def test_a_handler_with_a_key_limits_its_messages_per_key(client):
    name = per_customer()
    client.send_message("mail", "ada hello")
    client.send_messages("mail", ["bob hello", Draft(body="ada again", headers={"x": "y"})])
    value = f'3 100000 {name} "%s"'
    assert headers_in(client) == [
        {"queueing-limit": value % "ada"},
        {"queueing-limit": value % "bob"},
        {"queueing-limit": value % "ada", "x": "y"},
    ]
    assert limits.shown_key(headers_in(client)[0]) == f'{name} "ada"'


def test_a_handler_without_a_key_adds_nothing_to_its_messages(client):
    @handler("mail")
    @policy(concurrency=3)
    def send(message): ...

    client.send_message("mail", "text")
    assert headers_in(client) == [{}]
    assert QueueLease(client.session, Config(), "child", "mail").limit == "3 0 queue:mail"


def test_an_error_in_the_key_reaches_the_sender(client):
    per_customer()
    with pytest.raises(IndexError):
        client.send_message("mail", "")
    assert headers_in(client) == []


@pytest.mark.parametrize("key", ["x" * 1000, "a\1b", "line\nline"])
def test_a_long_or_unprintable_key_becomes_a_digest(key):
    [value] = limits.headers(Limit(concurrency=1), "name", key).values()
    assert value.isprintable()
    assert len(value) < 300
    assert value != limits.headers(Limit(concurrency=1), "name", key + "x")["queueing-limit"]


def test_the_stricter_limit_of_the_settings_and_the_handler_holds(client):
    @handler("mail")
    @policy(concurrency=3, rate="100/s")
    def send(message): ...

    settings = {"mail": {"concurrency": 5, "rate": "10/s"}, "other": {"concurrency": 1}}
    assert limits.of_queue(settings, "mail") == Limit("10/s", 3)
    assert limits.of_queue(settings, "other") == Limit("", 1)
    assert limits.text_of_queue(settings, "none") == ""
    # The sibling for low priorities shares the limit.
    assert limits.text_of_queue(settings, "mail-low") == "3 100000 queue:mail"


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {"mail": 3},
        {"mail": {}},
        {"mail": {"burst": 3}},
        {"mail": {"rate": "many"}},
        {"mail": {"concurrency": 0}},
    ],
    ids=str,
)
def test_a_wrong_setting_is_reported(settings, wrong):
    settings.QUEUEING = {"LIMITS": wrong}
    [error] = run_checks(tags=["queueing"])
    assert error.id == "queueing.E014"
    with pytest.raises(ImproperlyConfigured, match="LIMITS"):
        get_conf()


def test_a_limit_of_a_name_that_no_queue_can_have_is_reported(settings):
    settings.QUEUEING = {"LIMITS": {"*": {"concurrency": 1}}}
    [error] = run_checks(tags=["queueing"])
    assert (error.id, error.msg) == ("queueing.E003", """QUEUEING["LIMITS"]: Invalid qname format: '*'.""")


def test_a_right_setting_passes(settings):
    settings.QUEUEING = {"LIMITS": {"mail": {"rate": "10/s", "concurrency": 3}, "slow": {"concurrency": 1}}}
    assert run_checks(tags=["queueing"]) == []
