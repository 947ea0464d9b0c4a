"""Reads the addresses of Redis and of the database from environment variables."""

from pathlib import Path
from typing import Any

import dj_database_url

from queueing import conf

from .environment import Environment


def redis_url(env: Environment, default: str) -> str:
    """The URL of Redis in ``REDIS_TLS_URL`` or ``REDIS_URL``, or ``default`` if neither is set.

    If both are set, a URL with TLS (``rediss://``) is preferred. An invalid URL is recorded in
    ``env.problems``.
    """
    given = [(name, env.text(name)) for name in ("REDIS_TLS_URL", "REDIS_URL") if name in env]
    for name, url in given:
        for problem in conf.problems({"URL": url, "NAMESPACE": "{any}"}):
            env.problems["REDIS_URL"] = f"{name} is not the address of a Redis. {problem.hint}"
    encrypted = [url for _, url in given if url.startswith("rediss")]
    plain = [url for name, url in given if name == "REDIS_URL"]
    return (encrypted + plain + [url for _, url in given] + [default])[0]


def database(env: Environment, default_file: Path) -> dict[str, Any]:
    """The entry of ``DATABASES`` for ``DATABASE_URL``, or for SQLite in ``default_file``.

    Connections are closed at the end of each request, because small hosting plans allow only 20 connections,
    and an idle site should hold none.
    """
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": default_file}
    if "DATABASE_URL" in env:
        try:
            entry = dict(dj_database_url.parse(env.text("DATABASE_URL"), conn_max_age=0))
        except ValueError:  # The text of the library would repeat the password.
            env.problems["DATABASE_URL"] = (
                "DATABASE_URL is not the address of a database, as postgres://user:password@host/name is."
            )
    options = {"sqlite3": sqlite_options(), "postgresql": postgres_options()}
    entry["OPTIONS"] = options.get(entry["ENGINE"].rpartition(".")[2], {}) | entry.get("OPTIONS", {})
    return entry


def postgres_options() -> dict[str, Any]:
    """Options with a connection timeout of 2 s, the shortest that the driver allows."""
    return {"connect_timeout": 2}


def sqlite_options() -> dict[str, Any]:
    """Options with which reads never wait for a writer (WAL), and a writer waits until another one is done.

    A writer waits at most ``timeout`` seconds. Each transaction takes the write lock when it begins. A
    transaction that has already read would fail instead of waiting for the lock.
    """
    return {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
