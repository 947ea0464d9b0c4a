"""The files for platforms agree with the code that they start."""

import configparser
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from gunicorn.workers.gthread import ThreadWorker

from mqsite import gunicorn
from tests.support.programs import ROOT, require


def processes() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / f"deploy/mqsite-{name}.service")
    return parser["Service"]


def test_the_one_click_app_has_the_variables_of_its_processes():
    app = json.loads((ROOT / "app.json").read_text())
    assert [addon["plan"] for addon in app["addons"]] == [
        "heroku-redis:mini",
        "heroku-postgresql:essential-0",
    ]
    assert app["env"]["SECRET_KEY"] == {"generator": "secret"} | app["env"]["SECRET_KEY"]
    assert app["env"]["DJANGO_SUPERUSER_PASSWORD"]["generator"] == "secret"
    assert set(app["formation"]) == set(processes()) - {"release"}
    assert {(kind["quantity"], kind["size"]) for kind in app["formation"].values()} == {(1, "basic")}
    assert app["scripts"]["postdeploy"] == "python -m mqsite.first_admin"


def test_heroku_knows_everything_in_app_json():
    schema = json.loads((Path(__file__).parent / "schemas/app.json").read_text())
    jsonschema.validate(json.loads((ROOT / "app.json").read_text()), schema)


def test_gunicorn_is_configured_for_heroku():
    assert issubclass(gunicorn.worker_class, ThreadWorker)
    assert (gunicorn.threads, gunicorn.timeout, gunicorn.graceful_timeout) == (5, 20, 20)
    assert (gunicorn.keepalive, gunicorn.accesslog, gunicorn.preload_app) == (95, "-", False)


def test_the_python_version_of_production_is_tested():
    assert re.fullmatch(r"3\.1[2-4]", (ROOT / ".python-version").read_text().strip())


@pytest.mark.parametrize(("name", "grace"), [("web", gunicorn.graceful_timeout), ("worker", None)])
def test_systemd_waits_longer_than_the_grace_time(name: str, grace: int | None):
    service = unit(name)
    if grace is None:
        grace = int(service["ExecStart"].split("--grace ")[1])
    assert int(service["TimeoutStopSec"]) > grace
    command = service["ExecStart"].replace(f" --grace {grace}", "").split("/bin/")[1]
    assert command == processes()[name].removeprefix("python ") or command == processes()[name]


@pytest.mark.parametrize("name", ["web", "worker"])
def test_systemd_rates_the_services_as_hardened(name: str):
    analyze = require("systemd-analyze", "install systemd (Debian, Ubuntu: apt install systemd)")
    file = ROOT / f"deploy/mqsite-{name}.service"
    command = [analyze, "security", "--offline=true", "--threshold=40", "--no-pager", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # The threshold is ten times the printed exposure level.
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_image_starts_the_same_commands_as_the_procfile():
    dockerfile = (ROOT / "Dockerfile").read_text()
    (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert json.loads(command) == processes()["web"].split()
    assert dockerfile.index("collectstatic") < dockerfile.index("\nUSER "), "what it serves it cannot change"
