"""Environment variables by type, and the errors for wrong values."""

from pathlib import Path

import pytest

from mqsite.addresses import database, redis_url
from mqsite.environment import Environment


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("1", True),
        ("true", True),
        (" Yes ", True),
        ("on", True),
        ("0", False),
        ("False", False),
        ("off", False),
    ],
)
def test_a_flag_is_read_in_any_case(value: str, meant: bool):
    assert Environment({"F": value}).flag("F", default=not meant) is meant


@pytest.mark.parametrize("variables", [{}, {"F": ""}, {"F": "  "}])
@pytest.mark.parametrize("default", [True, False])
def test_an_empty_variable_counts_as_not_set(variables: dict[str, str], default: bool):
    env = Environment(variables)
    assert env.flag("F", default=default) is default
    assert env.number("F", default=7) == 7
    assert env.names("F", ["a"]) == ["a"]
    assert "F" not in env
    assert not env.problems


def test_a_wrong_value_gives_a_sentence_and_not_an_exception():
    env = Environment({"F": "maybe", "N": "-1"})
    assert env.flag("F", default=True) is True
    assert env.number("N", default=3) == 3
    assert env.problems == {
        "F": "F is 'maybe', but can only be 1 or 0.",
        "N": "N is '-1', but can only be a whole number from 0 upwards.",
    }


def test_a_list_is_separated_by_commas():
    assert Environment({"L": "a.example, b.example,"}).names("L", []) == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "redis://default"),
        ({"REDIS_URL": "redis://a"}, "redis://a"),
        ({"REDIS_URL": "rediss://a"}, "rediss://a"),
        ({"REDIS_URL": "redis://a", "REDIS_TLS_URL": "rediss://b"}, "rediss://b"),
        ({"REDIS_URL": "rediss://a", "REDIS_TLS_URL": "redis://b"}, "rediss://a"),
        ({"REDIS_URL": "redis://a", "REDIS_TLS_URL": "redis://b"}, "redis://a"),
        ({"REDIS_TLS_URL": "rediss://b"}, "rediss://b"),
        ({"REDIS_URL": "unix:///run/redis.sock"}, "unix:///run/redis.sock"),
    ],
)
def test_an_encrypted_redis_url_takes_precedence(variables: dict[str, str], url: str):
    env = Environment(variables)
    assert redis_url(env, default="redis://default") == url
    assert not env.problems


def test_a_url_that_is_not_of_a_redis_is_a_problem():
    env = Environment({"REDIS_URL": "http://:secret@a"})
    redis_url(env, default="redis://default")
    assert "It has to start with redis://" in env.problems["REDIS_URL"]
    assert "secret" not in env.problems["REDIS_URL"]


def test_postgres_keeps_no_idle_connection():
    found = database(Environment({"DATABASE_URL": "postgres://u:p@h:5433/n"}), Path("unused"))
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"]) == ("h", 5433, "n", "u")
    assert found["CONN_MAX_AGE"] == 0


@pytest.mark.parametrize("variables", [{}, {"DATABASE_URL": "sqlite:////somewhere/else.sqlite3"}])
def test_writers_of_sqlite_wait_for_each_other(variables: dict[str, str]):
    found = database(Environment(variables), Path("/here/100%/db.sqlite3"))
    assert found["OPTIONS"]["timeout"] == 20
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in found["OPTIONS"]["init_command"]
    assert str(found["NAME"]) == ("/somewhere/else.sqlite3" if variables else "/here/100%/db.sqlite3")


@pytest.mark.parametrize("url", ["nonsense", "gopher://u:secret@h/n", "postgres://u:secret@h:port/n"])
def test_a_url_that_is_not_of_a_database_is_reported_without_its_password(url: str):
    env = Environment({"DATABASE_URL": url})
    database(env, Path("db"))
    assert "DATABASE_URL is not the address of a database" in env.problems["DATABASE_URL"]
    assert "secret" not in env.problems["DATABASE_URL"]
