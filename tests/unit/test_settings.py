"""The dict QUEUEING: it is read once and checked, and its errors are named."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

import queueing
from queueing import checks
from queueing.client import default
from queueing.client.default import use_client
from queueing.conf import SETTINGS, Config, get_conf, read
from queueing.testing import fake_queues
from tests.support.redis_server import RedisServer

#: Values of a wrong type or out of all bounds, by the type of a setting.
WRONG: dict[Any, list[Any]] = {
    int: ["5", "", None, True, 1.5, float("nan"), -1, 10**30, [5], b"5", "٥"],
    float: ["5", "", None, True, float("nan"), float("inf"), -1, -0.5, 1e300, [5], 1j],
    bool: ["False", "no", 0, 1, None, []],
    str: [None, 5, b"text", True, ["text"]],
    tuple[str, ...]: ["emails", "", b"emails", None, 5, {"emails": 1}, ["emails", 5], [None], [["emails"]]],
}
OF_WORDS = ["no such word", None, 5]
LISTED = [(field.name, value) for field in SETTINGS.values() for value in WRONG.get(field.type, OF_WORDS)]


def test_defaults_are_in_one_place():
    assert read({}) == Config()
    assert read({"QUEUES": ["a", "b"]}).QUEUES == ("a", "b")


def test_an_unknown_setting_is_named_with_the_known_ones():
    with pytest.raises(ImproperlyConfigured, match=r"no setting LEESE.*LEASE"):
        read({"LEESE": 3})


def test_a_changed_setting_is_read_again(settings):
    settings.QUEUEING = {"LEASE": 3}
    assert get_conf().LEASE == 3


@pytest.mark.parametrize(
    ("wrong", "id"),
    [
        ({"NO": 1}, "queueing.E001"),
        ({"LEASE": 0}, "queueing.E002"),
        ({"OUTBOX_MAX": "much"}, "queueing.E002"),
        ({"QUEUES": ["a b"]}, "queueing.E003"),
        ({"QUEUES": ["a-dead"]}, "queueing.E004"),
        ({"URL": "localhost"}, "queueing.E005"),
        ({"LOG_FORMAT": "xml"}, "queueing.E007"),
        ({"HISTORY": "some"}, "queueing.E007"),
        ({"HISTORY": ["all"]}, "queueing.E007"),
        ({"HISTORY": {"mail": "never"}}, "queueing.E007"),
        ({"HISTORY": {"a b": "all"}}, "queueing.E003"),
        ({"HISTORY": {5: "all"}}, "queueing.E003"),
    ],
)
def test_the_system_check_finds_wrong_settings(settings, wrong, id):
    settings.QUEUEING = wrong
    assert [error.id for error in run_checks(tags=["queueing"])] == [id]


def test_right_settings_pass(settings):
    settings.QUEUEING = {"LEASE": 3, "QUEUES": ["mail"]}
    assert run_checks(tags=["queueing"]) == []


@pytest.mark.parametrize("name", ["QUEUING", "QUEING", "QUEUEINGS"])
def test_a_misspelt_name_of_the_setting_is_pointed_out(settings, name):
    del settings.QUEUEING
    assert run_checks(tags=["queueing"]) == []
    setattr(settings, name, {"NAMESPACE": "shop"})
    [warning] = run_checks(tags=["queueing"])
    assert (warning.id, warning.msg) == (
        "queueing.W004",
        f"The setting {name} is not read. Its name may be a misspelt QUEUEING.",
    )


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_time_zone_is_an_error(settings, empty: str | None):
    settings.TIME_ZONE = empty
    [error] = run_checks(tags=["queueing"])
    assert (error.id, error.msg) == (
        "queueing.E019",
        "TIME_ZONE is empty. The history and the console need the name of a time zone.",
    )


def test_the_settings_of_other_packages_are_not_misspelt_names(settings):
    del settings.QUEUEING
    settings.QUEUES = settings.RQ_QUEUES = settings.QUEUE = {}
    assert run_checks(tags=["queueing"]) == []


def test_another_apps_runworker_is_pointed_out(monkeypatch):
    monkeypatch.setattr(checks, "get_commands", lambda: {"runworker": "channels"})
    [warning] = checks.check_runworker()
    assert "channels" in warning.msg
    assert "queues work" in warning.hint


@pytest.mark.parametrize(("name", "value"), LISTED, ids=lambda given: repr(given)[:20])
def test_a_value_of_a_wrong_type_is_named_in_one_sentence(settings, name, value):
    """Every setting, also one that is added later."""
    settings.QUEUEING = {name: value}

    errors = run_checks(tags=["queueing"])

    assert errors
    assert all(error.id.startswith("queueing.E") and f'QUEUEING["{name}"]' in error.msg for error in errors)
    with pytest.raises(ImproperlyConfigured, match=name):
        get_conf()


def test_a_text_in_place_of_a_list_is_not_a_list_of_letters(settings):
    settings.QUEUEING = {"QUEUES": "emails"}

    [error] = run_checks(tags=["queueing"])

    assert error.msg == 'QUEUEING["QUEUES"] must be a list of texts, not a text.'
    assert error.hint == "Write ['emails']."
    with pytest.raises(ImproperlyConfigured, match="must be a list of texts"):
        queueing.create_queues()


def test_a_secret_of_a_wrong_type_is_not_shown(settings):
    settings.QUEUEING = {"URL": b"redis://:hunter2@host/0", "METRICS_TOKEN": ["hunter2"]}
    assert "hunter2" not in str(run_checks(tags=["queueing"]))


def test_all_that_is_wrong_is_said_together(settings):
    settings.QUEUEING = {"NO": 1, "QUEUES": "emails", "THREADS": "2"}
    assert [error.id for error in run_checks(tags=["queueing"])] == [
        "queueing.E001",
        "queueing.E008",
        "queueing.E002",
    ]


@pytest.mark.parametrize("wrong", [None, [], "redis://", 5])
def test_the_setting_itself_is_a_dict(settings, wrong):
    settings.QUEUEING = wrong
    [error] = run_checks(tags=["queueing"])
    assert "must be a dict" in error.msg


@pytest.mark.parametrize(
    "right",
    [
        {"GRACE": 0, "LEASE": 1, "MAX_JOBS": 0, "TIMEOUT": 0.5},
        {"QUEUES": ("a", "b"), "REDACT": {"iban"}},
        {"QUEUES": [], "REDACT": []},
        {"HEALTH_FILE": Path("/run/worker")},
        {"HISTORY": "failed"},
        {"HISTORY": {"mail": "none", "*": "failed"}},
        OrderedDict(LEASE=3),
    ],
)
def test_right_values_of_every_form_pass(settings, right):
    settings.QUEUEING = right
    assert run_checks(tags=["queueing"]) == []
    assert isinstance(get_conf().HEALTH_FILE, str)


def test_a_worker_with_wrong_settings_names_them_before_it_starts(settings):
    settings.QUEUEING = {"THREADS": "2"}
    with pytest.raises(SystemCheckError, match=r'"THREADS"\] must be a whole number from 1'):
        call_command("runworker", skip_checks=False)


def test_a_project_that_names_no_queues_gets_none(settings, redis_server: RedisServer):
    settings.QUEUEING = {"URL": redis_server.url}

    assert default.create_configured_queues(queueing.get_client()) == []
    assert queueing.get_client().list_queues() == []


class TestOverriding:
    """``override_settings`` in a project's tests."""

    def test_the_client_follows(self, settings, redis_server: RedisServer):
        settings.QUEUEING = {"URL": redis_server.url, "NAMESPACE": "usual"}
        queueing.get_client().create_queue("mail")

        with override_settings(QUEUEING={"URL": redis_server.url, "NAMESPACE": "tests", "QUEUES": ["mail"]}):
            id = queueing.send_message("mail", "text")
            assert queueing.get_client().peek_message("mail", id)

        assert queueing.get_client().peek_message("mail", id) is None
        with redis_server.connect() as connection:
            assert connection.exists("tests:mail:Q", "usual:mail:Q") == 2

    def test_the_connections_of_the_old_client_are_closed(self, settings, redis_server: RedisServer):
        settings.QUEUEING = {"URL": redis_server.url}
        with redis_server.connect() as connection:
            before = len(connection.client_list())
            for number in range(5):
                with override_settings(QUEUEING={"URL": redis_server.url, "NAMESPACE": f"n{number}"}):
                    queueing.get_client().list_queues()
            assert len(connection.client_list()) == before

    def test_queues_in_memory_stay(self, settings):
        with fake_queues() as fake:
            settings.QUEUEING = {"URL": "redis://127.0.0.1:1", "MAX_ATTEMPTS": 2}
            assert queueing.get_client() is fake
            assert get_conf().MAX_ATTEMPTS == 2

    @pytest.fixture(autouse=True)
    def _no_client_is_left(self):
        use_client(None)
        yield
        use_client(None)
