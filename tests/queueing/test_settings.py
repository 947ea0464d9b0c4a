"""The dict QUEUEING: read once, checked, and said what is wrong with it."""

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from queueing import checks
from queueing.conf import Conf, get_conf, read


def test_defaults_stand_in_one_place():
    assert read({}) == Conf()
    assert read({"QUEUES": ["a", "b"]}).QUEUES == ("a", "b")


def test_an_unknown_setting_is_named_with_the_known_ones():
    with pytest.raises(ImproperlyConfigured, match=r"no setting LEESE.*LEASE"):
        read({"LEESE": 3})


def test_a_changed_setting_is_read_anew(settings):
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
    ],
)
def test_what_is_wrong_is_found_by_the_system_check(settings, wrong, id):
    settings.QUEUEING = wrong
    assert [error.id for error in run_checks(tags=["queueing"])] == [id]


def test_right_settings_pass(settings):
    settings.QUEUEING = {"LEASE": 3, "QUEUES": ["mail"]}
    assert run_checks(tags=["queueing"]) == []


def test_another_apps_runworker_is_pointed_out(monkeypatch):
    monkeypatch.setattr(checks, "get_commands", lambda: {"runworker": "channels"})
    [warning] = checks.check_runworker()
    assert "channels" in warning.msg
    assert "queues work" in warning.hint
