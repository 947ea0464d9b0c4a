"""The site under Gunicorn, started as in the Procfile, and a visitor without a browser."""

import http.client
import http.cookies
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from .program import Program
from .programs import ROOT
from .waiting import eventually, free_port
from .worker_process import site_environment


def procfile() -> dict[str, str]:
    """Process type -> command line."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line.strip())


class WebProcess(Program):
    """``gunicorn mqsite.wsgi`` on a free loopback port. Static files must have been collected."""

    def __init__(
        self, *, redis_url: str, database_url: str, env: Mapping[str, str | None] | None = None
    ) -> None:
        self.port = free_port()
        super().__init__(
            [sys.executable, "-m", *procfile()["web"].split()],
            env={**site_environment(redis_url, database_url), "PORT": str(self.port), **(env or {})},
            name="gunicorn",
        )

    def start(self) -> "WebProcess":
        super().start()
        eventually(self._answers, of=self)
        return self

    def _answers(self) -> bool:
        return Visitor(self.port).get("/healthz").status == 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. Redirects are not followed."""

    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> dict[str, object]:
        return json.loads(self.text)


class Visitor:
    """Keeps cookies, sends the CSRF token, and adds ``headers`` to each request."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.headers = dict(headers or {})
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        return self._ask("GET", path)

    def press(self, *, accept: str = "application/json") -> Answer:
        """Open the page for its token, then press its button."""
        page = self.get("/")
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert found, f"no token on the page: {page.status} {page.text[:500]}"
        return self.post("/job", {"csrfmiddlewaretoken": found[1]}, accept=accept)

    def post(self, path: str, form: Mapping[str, str], *, accept: str = "text/html") -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept}
        return self._ask("POST", path, urlencode(form), headers)

    def _ask(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scheme = "https" if sent.get("X-Forwarded-Proto") == "https" else "http"
        sent["Referer"] = f"{scheme}://{sent.get('Host', f'127.0.0.1:{self.port}')}/"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            for name, morsel in http.cookies.SimpleCookie(
                "; ".join(response.headers.get_all("Set-Cookie", []))
            ).items():
                self.cookies[name] = morsel.value
            text = response.read().decode(errors="replace")
            return Answer(response.status, text, dict(response.headers.items()))
        finally:
            connection.close()
