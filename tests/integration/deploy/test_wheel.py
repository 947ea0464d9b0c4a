"""The wheel of the queue in another project."""

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import django
import pytest

from tests.support.program import Program
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually, free_port
from tests.support.web_process import Visitor

SETTINGS = """
INSTALLED_APPS += ["queueing", "fresh"]
QUEUEING = {{"URL": "{url}", "METRICS_TOKEN": "who-may-scrape"}}
TASKS = {{"default": {{"BACKEND": "queueing.tasks_backend.RSMQBackend"}}}}
"""
#: The README's settings for a strict policy on Django 6.
POLICY = """
from django.utils.csp import CSP
MIDDLEWARE += ["django.middleware.csp.ContentSecurityPolicyMiddleware"]
SECURE_CSP = {"default-src": [CSP.SELF]}
"""
URLS = """
from django.urls import include
urlpatterns += [path("", include("queueing.urls"))]
"""
TASKS = """
from queueing.tasks import task

@task
def greet(name):
    return f"Hello {name}"
"""
ENQUEUE = """
from fresh.tasks import greet
print("enqueued", greet.enqueue("Ada").id)
"""
ASK = """
import queueing
from django.contrib.admin.models import LogEntry
from fresh.tasks import greet

print("result", greet.get_result("{id}").return_value)
print("sent", *(message.body for message in queueing.get_client().peek_messages("default")))
print("logged", LogEntry.objects.count())
print("from", queueing.__file__)
"""
LISTS = ("queue/", "job/", "job/failures/", "worker/", "schedule/", "queue/charts/")
LIVE = ("queue/live/", "worker/live/", "schedule/live/")
#: Markup that a strict Content-Security-Policy would refuse.
INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>|<style|<[^>]*\sstyle=|<[^>]*\son\w+=")
USER, PASSWORD = "admin", "only-for-this-test"
IS_DJANGO_6 = django.VERSION >= (6, 0)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the project, so that no files are left in the project."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "queueing", source / "queueing", ignore=shutil.ignore_patterns("__pycache__"))
    # A setuptools that can build wheels by itself is used as it is, so that nothing is downloaded.
    offline = ["--no-isolation"] if int(version("setuptools").split(".")[0]) >= 77 else []
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", *offline, "--outdir", str(source / "dist"), str(source)],
        check=True,
        capture_output=True,
        timeout=180,
    )
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture
def python(wheel: Path, tmp_path: Path) -> Path:
    """The Python of a fresh environment with the wheel. Its other packages are those of this environment."""
    made = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(made, check=True, timeout=180)
    fresh = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(fresh), "install", "--no-deps", "--no-index"),
            *("--quiet", str(wheel)),
        ],
        check=True,
        timeout=180,
    )
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return fresh


@dataclass
class Project:
    """A project as ``startproject`` creates it, with the additions of the README."""

    python: Path
    folder: Path

    def program(self, *args: str, **env: str) -> Program:
        clean = {"DJANGO_SETTINGS_MODULE": None, "PYTHONPATH": None}
        return Program([self.python, *args], env={**clean, **env}, cwd=self.folder, name=args[-1])

    def run(self, *args: str, **env: str) -> list[str]:
        program = self.program(*args, **env)
        assert program.run() == 0, program.tail()
        return program.lines

    def write(self, name: str, text: str) -> None:
        """Append to a file of the project."""
        with (self.folder / "fresh" / name).open("a") as file:
            file.write(text)


@pytest.fixture
def project(python: Path, redis_server: RedisServer, tmp_path: Path) -> Project:
    made = Project(python, tmp_path)
    made.run("-m", "django", "startproject", "fresh", ".")
    made.write("settings.py", SETTINGS.format(url=redis_server.url) + (POLICY if IS_DJANGO_6 else ""))
    made.write("urls.py", URLS)
    made.write("tasks.py", TASKS)
    made.run("manage.py", "migrate", "--verbosity", "0")
    made.run("manage.py", "check")
    account = ("createsuperuser", "--noinput", f"--username={USER}", "--email=a@b.invalid")
    made.run("manage.py", *account, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    return made


def answered(visitor: Visitor, path: str) -> str:
    """The text of a page that loads, and that no strict policy would break."""
    answer = visitor.get(path)
    assert answer.status == 200, f"{path}: {answer.status} {answer.text[:500]}"
    assert not INLINE.findall(answer.text), path
    policy = answer.headers.get("Content-Security-Policy", "")
    assert not IS_DJANGO_6 or "default-src 'self'" in policy, path
    return answer.text


def pressed(visitor: Visitor, path: str, **form: str) -> None:
    """Fill in the form of a page, and press its button."""
    [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answered(visitor, path))
    answer = visitor.post(path, {"csrfmiddlewaretoken": token, **form})
    assert answer.status == 302, f"{path}: {answer.status} {answer.text[:500]}"


def test_the_queue_works_completely_in_a_fresh_project(project: Project):
    said = project.run("manage.py", "shell", "-c", ENQUEUE)
    id = said[-1].removeprefix("enqueued ")
    project.run("manage.py", "runworker", "--burst")

    port = free_port()
    with project.program("manage.py", "runserver", "--noreload", str(port)) as server:
        visitor = Visitor(port)
        eventually(lambda: visitor.get("/healthz").status == 200, of=server)
        pressed(visitor, "/admin/login/", username=USER, password=PASSWORD)

        pages = {path: answered(visitor, f"/admin/queueing/{path}") for path in (*LISTS, *LIVE)}
        assert "default" in pages["queue/"]
        assert "greet" in pages["job/"]
        [job] = re.findall(r'href="(/admin/queueing/job/\d+/change/)', pages["job/"])[:1]
        assert "Hello Ada" in answered(visitor, job)

        pressed(visitor, "/admin/queueing/queue/default/send/", body="by hand", confirmed="1")

        linked = set(re.findall(r'(?:src|href)="(/static/queueing/[^"]+)"', "".join(pages.values())))
        assert {path.rsplit(".", 1)[1] for path in linked} == {"css", "js"}
        assert {path: visitor.get(path).status for path in linked} == dict.fromkeys(linked, 200)

        assert visitor.get("/readyz").status == 200
        assert visitor.get("/metrics").status == 401
        scraper = Visitor(port, {"Authorization": "Bearer who-may-scrape"})
        metrics = scraper.get("/metrics")
        assert 'queueing_deliveries_total{outcome="done",queue="default"} 1.0' in metrics.text, metrics.text
        assert "default" in scraper.get("/queues.json").text

    said = project.run("manage.py", "shell", "-c", ASK.format(id=id))
    assert "result Hello Ada" in said
    assert "sent by hand" in said
    assert "logged 1" in said
    assert said[-1].startswith(f"from {project.folder}")


def test_the_wheel_contains_the_queue_and_its_data_files(wheel: Path):
    command = [sys.executable, "-m", "zipfile", "--list", str(wheel)]
    names = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    held = {line.split()[0] for line in names.splitlines()[1:]}
    tops = {name.split("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"queueing"}
    for kind in ("lua", "templates", "static", "migrations", "locale"):
        wanted = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "queueing" / kind).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert wanted <= held, f"{kind}: {sorted(wanted - held)}"
    assert "queueing/py.typed" in held
