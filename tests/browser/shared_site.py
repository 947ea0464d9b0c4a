"""One site for all tests of this folder, reset to its first state before each test."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.program import spare
from tests.support.waiting import eventually
from tests.support.web_process import Visitor, WebProcess


class SharedSite(WebProcess):
    """The site on an SQLite file, and the cookies of a superuser who has logged in.

    Its application is loaded before Gunicorn forks the process that serves. So a killed process is
    replaced immediately by another one, without its caches.
    """

    def __init__(self, *, redis_url: str, database: Path) -> None:
        super().__init__(
            redis_url=redis_url,
            database_url=f"sqlite:///{database}",
            env={"GUNICORN_CMD_ARGS": "--preload", "DJANGO_SETTINGS_MODULE": "tests.browser.settings"},
        )
        self.database = database
        self.cookies: dict[str, str] = {}

    def start(self) -> "SharedSite":
        super().start()
        spare(self.pid)
        return self

    def log_in(self, user: str, password: str) -> None:
        """Log in by the form, and keep the cookies. Each test begins with the database as it is then."""
        visitor = Visitor(self.port)
        page = visitor.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, page.text[:500]
        form = {"csrfmiddlewaretoken": token[1], "username": user, "password": password}
        answer = visitor.post("/admin/login/?next=/admin/", form)
        assert answer.status == 302, answer.text[:500]
        self.cookies = visitor.cookies
        _copy(self.database, self._kept)

    def reset(self) -> None:
        """Reset the changes of the last test in the database and in the memory of the serving process."""
        [serving] = self.children()
        serving.kill()
        serving.wait()
        _copy(self._kept, self.database)
        eventually(self._answers, of=self)

    @property
    def _kept(self) -> Path:
        return self.database.with_suffix(".kept")


def _copy(source: Path, target: Path) -> None:
    """Copy with SQLite, which includes its log and works while others have the file open."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target, timeout=60)) as written:
        read.backup(written)
