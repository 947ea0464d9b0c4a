"""Functions that run when the site starts: they check environment variables and create queues."""

import logging
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from .environment import Environment

logger = logging.getLogger("queueing")

DEVELOPMENT_FILE = Path(__file__).resolve().parent.parent / "var" / "dev.env"

#: A web process waits this long for Redis when it starts. It also serves pages without Redis.
REDIS_SECONDS = 0.5

#: Gunicorn restarts failed processes for ever. If a process exits with this code, Gunicorn stops instead.
DO_NOT_RESTART = 3

#: Commands that only read or build code, and need no variable. Commands in neither of these two sets need all
#: variables.
NEED_NOTHING = {
    *("check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages"),
    *("makemigrations", "startapp", "test", "testserver", "version", "--help", "-h", "--version"),
}
NEED_DATABASE = {
    *("changepassword", "clearsessions", "createsuperuser", "dbshell", "dumpdata", "flush", "inspectdb"),
    *("loaddata", "migrate", "optimizemigration", "remove_stale_contenttypes", "showmigrations"),
    *("sqlflush", "sqlmigrate", "sqlsequencereset", "squashmigrations"),
}


def missing_variables(env: Environment) -> dict[str, str]:
    """The variables that production needs and that are missing in ``env``, each with a sentence."""
    examples = {
        "SECRET_KEY": "50 random characters that stay the same",
        "REDIS_URL": "the address of a Redis, as redis://host:6379/0",
        "DATABASE_URL": "the address of a database, as postgres://user:password@host/name",
    }
    given = {name for name in examples if name in env}
    if "REDIS_TLS_URL" in env:
        given.add("REDIS_URL")
    return {
        name: f"{name} is not set: it has to be {example} (on your own machine, `make run` sets it)."
        for name, example in examples.items()
        if name not in given
    }


def load_development_file(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables that ``make run`` has written to a file.

    In production, where ``SECRET_KEY`` is set, nothing is changed. Variables that are set keep their values.
    """
    if environ.get("SECRET_KEY") or not DEVELOPMENT_FILE.is_file():
        return
    for line in DEVELOPMENT_FILE.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            environ.setdefault(name, value)


def needed_by(arguments: list[str]) -> set[str] | None:
    """The variables that the command of ``manage.py`` in ``arguments`` needs. ``None`` means all."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if command in NEED_NOTHING or {"-h", "--help"} & set(arguments):
        return set()
    return {"DATABASE_URL"} if command in NEED_DATABASE else None


def require_variables(names: set[str] | None = None, *, exit_code: int = 1) -> None:
    """Print a sentence for each problem of the variables ``names``, and exit if there is a problem.

    By default, all variables are checked.
    """
    from django.conf import settings  # the settings import this module

    if settings.DEBUG:
        # The folder of the default database.
        DEVELOPMENT_FILE.parent.mkdir(mode=0o700, exist_ok=True)
    problems = getattr(settings, "ENVIRONMENT_PROBLEMS", {})
    sentences = [text for name, text in problems.items() if names is None or name in names]
    if sentences:
        sys.stderr.write("\n".join(sentences) + "\n")
        sys.exit(exit_code)


def create_queues() -> None:
    """Create the queues of the setting ``QUEUES``, before a web process serves requests.

    If Redis is down, a warning is logged.
    """
    import queueing
    from queueing.exceptions import QueueError
    from queueing.resilience import within

    try:
        with within(REDIS_SECONDS):
            queueing.create_queues()
    except QueueError as error:
        logger.warning("queues not created yet, they will be when first used: %s", error)
    finally:
        # This process may be the parent of those that serve, and needs no connection then.
        queueing.get_client().redis.connection_pool.disconnect()
