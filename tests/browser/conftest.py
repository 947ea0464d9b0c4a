"""Debian's Chromium and the real site: Gunicorn, a worker and Redis as they are deployed."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)

from queueing.client import QueueClient
from tests.support.program import Program
from tests.support.programs import require
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS
from tests.support.worker_process import MANAGE, site_environment

from .shared_site import SharedSite

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--no-first-run"),
)
#: The browser's reports of the Content-Security-Policy, as errors in its console.
SAY_WHAT_IS_REFUSED = """addEventListener("securitypolicyviolation", (report) => console.error(
    "refused", report.effectiveDirective, report.blockedURI, report.sourceFile, report.lineNumber))"""
USER, PASSWORD = "admin", "only-for-this-test"

expect.set_options(timeout=HANG_SECONDS * 1000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Ends with this folder, because Playwright's loop must not exist when another test uses the database."""
    program = require("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """Pages of one browser, and the errors that occurred on them."""

    base_url: str
    browser: Browser
    troubles: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def page(
        self,
        *,
        width: int = 1280,
        javascript: bool = True,
        dark: bool = False,
        time_zone: str | None = None,
        locale: str | None = None,
    ) -> Page:
        """A new page without cookies. Console errors and failed requests are collected."""
        context = self.browser.new_context(
            base_url=self.base_url,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            timezone_id=time_zone,
            locale=locale,
        )
        context.set_default_timeout(HANG_SECONDS * 1000)
        self.contexts.append(context)
        page = context.new_page()
        page.add_init_script(SAY_WHAT_IS_REFUSED)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))
        page.on("response", self._response)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text} {message.location.get('url', '')}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} for {response.url}")


@pytest.fixture(scope="package")
def _with_account(_migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and a superuser."""
    path = Path(shutil.copy(_migrated, tmp_path_factory.mktemp("account") / "account.sqlite3"))
    made = Program(
        [sys.executable, MANAGE, "createsuperuser", "--noinput", f"--username={USER}", "--email=a@b.invalid"],
        env={
            **site_environment("redis://127.0.0.1:1/0", f"sqlite:///{path}"),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        },
        name="createsuperuser",
    )
    assert made.run() == 0, made.tail()
    return path


@pytest.fixture(scope="package")
def _shared_site(
    _session_redis: RedisServer,
    _with_account: Path,
    collected_static: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SharedSite]:
    database = Path(shutil.copy(_with_account, tmp_path_factory.mktemp("site") / "site.sqlite3"))
    with SharedSite(redis_url=_session_redis.url, database=database) as site:
        site.log_in(USER, PASSWORD)
        yield site


@pytest.fixture
def site(_shared_site: SharedSite, client: QueueClient) -> SharedSite:
    """The site as it is after its start, with one superuser and an empty queue."""
    _shared_site.reset()
    client.create_queue("testqueue")  # as the site does when it loads
    return _shared_site


@pytest.fixture
def database(site: SharedSite) -> Path:
    """The SQLite file of the site, for the workers beside it."""
    return site.database


@pytest.fixture
def visit(chromium: Browser, site: SharedSite) -> Iterator[Visit]:
    """Visits of the site. A console error or a failed request on any page fails the test."""
    made = Visit(site.url, chromium)
    yield made
    for context in made.contexts:
        context.close()
    assert made.troubles == []


def fill_in(page: Page) -> None:
    """Log in to the admin by its form."""
    page.goto("/admin/")
    page.fill("#id_username", USER)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")


@pytest.fixture
def log_in(site: SharedSite) -> Callable[[Page], None]:
    """Log in, and open the admin's first page."""

    def enter(page: Page) -> None:
        page.context.add_cookies(
            [{"name": name, "value": value, "url": site.url} for name, value in site.cookies.items()]
        )
        page.goto("/admin/")

    return enter


@pytest.fixture(params=[(True, 1280), (False, 390)], ids=["desk", "phone without JavaScript"])
def page(request: pytest.FixtureRequest, visit: Visit, log_in: Callable[[Page], None]) -> Page:
    """A page for a logged-in user, in each environment in which the actions are tested."""
    javascript, width = request.param
    made = visit.page(javascript=javascript, width=width)
    log_in(made)
    return made
