"""Debian's Chromium in front of the real site: Gunicorn, a worker and Redis as they are deployed."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.servers.program import Program
from tests.servers.programs import require
from tests.servers.redis_server import RedisServer
from tests.servers.web_process import WebProcess
from tests.servers.worker_process import MANAGE, site_environment

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--no-first-run"),
)
USER, PASSWORD = "admin", "only-for-this-test"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ended with the module: Playwright's loop must not be there when another test uses the database."""
    program = require("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """Pages of one browser, and what went wrong on them."""

    base_url: str
    browser: Browser
    troubles: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def page(
        self, *, width: int = 1280, javascript: bool = True, dark: bool = False, time_zone: str | None = None
    ) -> Page:
        """A fresh page with no cookies; console errors and failed requests are collected."""
        context = self.browser.new_context(
            base_url=self.base_url,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            timezone_id=time_zone,
        )
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
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


@pytest.fixture
def site(redis_server: RedisServer, database: Path, collected_static: None) -> Iterator[WebProcess]:
    with WebProcess(redis_url=redis_server.url, database_url=f"sqlite:///{database}") as web:
        yield web


@pytest.fixture
def visit(chromium: Browser, site: WebProcess) -> Iterator[Visit]:
    """Visits of the site; a console error or a failed request on any page fails the test."""
    made = Visit(site.url, chromium)
    yield made
    for context in made.contexts:
        context.close()
    assert made.troubles == []


@pytest.fixture
def account(redis_server: RedisServer, database: Path) -> None:
    """A superuser in the database of the site."""
    settings = site_environment(redis_server.url, f"sqlite:///{database}")
    made = Program(
        [
            sys.executable,
            MANAGE,
            "createsuperuser",
            "--noinput",
            "--username",
            USER,
            "--email",
            "a@b.invalid",
        ],
        env={**settings, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        name="createsuperuser",
    )
    assert made.run() == 0, made.tail()


@pytest.fixture
def log_in(account: None) -> Callable[[Page], None]:
    """Log in to the admin by its form."""

    def fill(page: Page) -> None:
        page.goto("/admin/")
        page.fill("#id_username", USER)
        page.fill("#id_password", PASSWORD)
        page.click("[type=submit]")
        page.wait_for_url("**/admin/")

    return fill
