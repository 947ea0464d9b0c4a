"""The wheel of the queue in somebody else's project."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.servers.programs import ROOT
from tests.servers.redis_server import RedisServer

SETTINGS = """
INSTALLED_APPS += ["queueing"]
QUEUEING = {{"URL": "{url}"}}
"""
OPEN_BOTH_LISTS = """
import queueing
from queueing.provision import create_configured_queues
from django.contrib.auth.models import User
from django.test import Client

create_configured_queues(queueing.get_client())
sent = queueing.send_message("testqueue", "from a fresh project")
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.create_superuser("admin"))
for name in ("queue", "job", "worker", "schedule", "queue/charts"):
    page = client.get(f"/admin/queueing/{name}/")
    print(name, page.status_code, "testqueue" in page.content.decode())
print("from", queueing.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "queueing", source / "queueing", ignore=shutil.ignore_patterns("__pycache__"))
    # A setuptools that can make wheels by itself is used as it is: then nothing is downloaded.
    offline = ["--no-isolation"] if int(version("setuptools").split(".")[0]) >= 71 else []
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
    """The Python of a fresh environment that has the wheel; its other packages are this one's."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    fresh = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(fresh), "install", "--no-deps", "--no-index"),
            *("--quiet", str(wheel)),
        ],
        check=True,
    )
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return fresh


def test_both_admin_lists_open_in_a_fresh_project(python: Path, redis_server: RedisServer, tmp_path: Path):
    clean = {k: v for k, v in os.environ.items() if k not in ("DJANGO_SETTINGS_MODULE", "PYTHONPATH")}

    def run(*args: str) -> str:
        done = subprocess.run(
            [str(python), *args],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "django", "startproject", "fresh", ".")
    settings = tmp_path / "fresh" / "settings.py"
    settings.write_text(settings.read_text() + SETTINGS.format(url=redis_server.url))
    run("manage.py", "migrate", "--verbosity", "0")
    run("manage.py", "check")
    said = run("manage.py", "shell", "-c", OPEN_BOTH_LISTS).splitlines()
    assert "queue 200 True" in said
    for name in ("job", "worker", "schedule", "queue/charts"):
        assert [line for line in said if line.startswith(f"{name} 200")], said
    assert said[-1].startswith(f"from {tmp_path}")


def test_the_wheel_holds_the_queue_and_what_is_not_code(wheel: Path):
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    held = {line.split()[0] for line in names.splitlines()[1:]}
    tops = {name.split("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"queueing"}
    for kind in ("lua", "templates", "static", "migrations"):
        wanted = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "queueing" / kind).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert wanted <= held, f"{kind}: {sorted(wanted - held)}"
