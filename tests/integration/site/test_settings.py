"""The effect of each variable on the settings. Each case runs the module again."""

import importlib.util
import logging.config
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.programs import ROOT

Settings = dict[str, Any]
PRODUCTION = {"SECRET_KEY": "s" * 50, "REDIS_URL": "redis://r", "DATABASE_URL": "postgres://u:p@h/n"}
HEROKU = PRODUCTION | {"DYNO": "web.1"}


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Settings]:
    def settings(variables: dict[str, str]) -> Settings:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("mqsite.anew", ROOT / "mqsite/settings.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)

    return settings


def test_the_settings_can_be_imported_without_variables(settings_with: Callable[..., Settings]):
    found = settings_with({})
    assert found["DEBUG"] is False
    assert set(found["ENVIRONMENT_PROBLEMS"]) == {"SECRET_KEY", "REDIS_URL", "DATABASE_URL"}
    assert len(found["SECRET_KEY"]) >= 50
    assert settings_with({})["SECRET_KEY"] != found["SECRET_KEY"], "a key that others could know"


def test_development_needs_no_variable_except_debug(settings_with: Callable[..., Settings]):
    found = settings_with({"DEBUG": "1"})
    assert found["DEBUG"] is True
    assert found["ENVIRONMENT_PROBLEMS"] == {}
    assert found["QUEUEING"]["URL"] == "redis://127.0.0.1:6379/0"
    assert found["DATABASES"]["default"]["NAME"].parts[-2:] == ("var", "db.sqlite3")


def test_production_with_its_three_variables_has_no_problem(settings_with: Callable[..., Settings]):
    found = settings_with(PRODUCTION)
    assert found["ENVIRONMENT_PROBLEMS"] == {}
    assert found["SECRET_KEY"] == "s" * 50
    assert found["QUEUEING"] | {"URL": "redis://r", "QUEUES": ["testqueue"]} == found["QUEUEING"]
    assert "Manifest" in found["STORAGES"]["staticfiles"]["BACKEND"]


def test_the_encrypted_redis_url_alone_is_enough(settings_with: Callable[..., Settings]):
    without = {name: value for name, value in PRODUCTION.items() if name != "REDIS_URL"}
    assert settings_with(without | {"REDIS_TLS_URL": "rediss://r"})["ENVIRONMENT_PROBLEMS"] == {}


def test_wrong_values_are_problems_in_development_too(settings_with: Callable[..., Settings]):
    found = settings_with({"DEBUG": "1", "HSTS_SECONDS": "long"})
    assert set(found["ENVIRONMENT_PROBLEMS"]) == {"HSTS_SECONDS"}


@pytest.mark.parametrize(
    ("variables", "verified"),
    [
        (PRODUCTION, True),
        (HEROKU, False),
        (HEROKU | {"REDIS_TLS_VERIFY": "1"}, True),
        (PRODUCTION | {"REDIS_TLS_VERIFY": "0"}, False),
    ],
)
def test_certificates_of_redis_are_checked_except_on_heroku(
    settings_with: Callable[..., Settings], variables: dict[str, str], verified: bool
):
    assert settings_with(variables)["QUEUEING"]["TLS_VERIFY"] is verified


@pytest.mark.parametrize(
    ("variables", "hosts"),
    [
        (PRODUCTION, ["localhost", "127.0.0.1", "[::1]"]),
        (HEROKU, ["*"]),
        (HEROKU | {"ALLOWED_HOSTS": "a.example"}, ["a.example"]),
        (PRODUCTION | {"ALLOWED_HOSTS": "a.example,.b.example"}, ["a.example", ".b.example"]),
    ],
)
def test_allowed_hosts_depend_on_the_variables_and_the_platform(
    settings_with: Callable[..., Settings], variables: dict[str, str], hosts: list[str]
):
    assert settings_with(variables)["ALLOWED_HOSTS"] == hosts


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        (PRODUCTION, False),
        (HEROKU, True),
        (HEROKU | {"TRUST_PROXY": "0"}, False),
        (PRODUCTION | {"TRUST_PROXY": "1"}, True),
    ],
)
def test_the_proxy_is_trusted_on_heroku_and_on_request(
    settings_with: Callable[..., Settings], variables: dict[str, str], trusted: bool
):
    found = settings_with(variables)
    assert found["TRUST_PROXY"] is trusted
    assert found["SECURE_SSL_REDIRECT"] is trusted
    assert (found["SECURE_PROXY_SSL_HEADER"] is not None) is trusted
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is trusted


@pytest.mark.parametrize(("variables", "seconds"), [({}, 3600), ({"HSTS_SECONDS": "31536000"}, 31_536_000)])
def test_hsts_starts_with_an_hour(
    settings_with: Callable[..., Settings], variables: dict[str, str], seconds: int
):
    assert settings_with(PRODUCTION | variables)["SECURE_HSTS_SECONDS"] == seconds


def test_only_two_checks_are_silenced(settings_with: Callable[..., Settings]):
    assert settings_with({})["SILENCED_SYSTEM_CHECKS"] == ["security.W005", "security.W021"]


def test_user_data_cannot_forge_lines_of_the_sites_log(settings_with: Callable[..., Settings]):
    config = settings_with({})["LOGGING"]
    line = config["formatters"][config["handlers"]["console"]["formatter"]]
    formatter = logging.config.DictConfigurator(config).configure_formatter(dict(line))
    record = logging.LogRecord("app", logging.ERROR, "", 1, "got %s", ("\x1b[31m\nfake",), None)

    assert formatter.format(record).endswith(" ERROR app: got \\x1b[31m\n    fake")
