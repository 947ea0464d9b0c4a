"""``make run``: the programs it starts, its output, the files it leaves, and its end."""

import re
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.support.diary import Diary
from tests.support.program import Program
from tests.support.programs import require, require_namespace
from tests.support.redis_server import HINT, RedisServer
from tests.support.waiting import accepts, eventually
from tests.support.web_process import Visitor

from .launched_site import NO_VARIABLES, LaunchedSite, living
from .project_copy import copy_project, run

Launch = Callable[..., LaunchedSite]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


@pytest.fixture
def launch(folder: Path) -> Iterator[Launch]:
    """Makes launchers in one copy of the project, and ends their processes."""
    made: list[LaunchedSite] = []

    def make(**variables: str) -> LaunchedSite:
        made.append(LaunchedSite(folder, **variables))
        return made[-1]

    yield make
    for site in made:
        site.stop()


def press_and_wait(site: LaunchedSite) -> str:
    """Press the page's button and wait until the history shows the job as done."""
    answer = Visitor(site.port).press()
    assert answer.status == 202, answer.text
    message_id = str(answer.json()["id"])
    diary = Diary(site.cwd / "var/db.sqlite3")
    eventually(lambda: message_id in diary.ids("done"), what=site.tail)
    return message_id


def admin_page(site: LaunchedSite, path: str) -> str:
    """A page of the admin, after a login with the password that the launcher prints."""
    visitor = Visitor(site.port)
    page = visitor.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token, page.text
    form = {"csrfmiddlewaretoken": token[1], "username": "admin", "password": site.password, "next": path}
    assert visitor.post("/admin/login/", form).status == 302
    return visitor.get(path).text


def end_by_ctrl_c(site: LaunchedSite) -> None:
    """The launcher exits with 0 and without a traceback, and leaves no process and no open port."""
    left = site.everything()
    redis_port = int(site.redis_url.split(":")[2].split("/")[0])
    assert site.interrupt() == 0, site.tail()
    assert "Traceback" not in site.output, site.output
    assert not living(left)
    assert not accepts(site.port)
    assert not accepts(redis_port)


@pytest.mark.parametrize("program", ["redis-server", "fake"])
def test_make_run_works_twice_in_a_row_and_keeps_its_data(launch: Launch, program: str):
    if program == "redis-server":
        require("redis-server", HINT)
    variables = {"EMBEDDED_REDIS": "fake"} if program == "fake" else {}
    first = launch(**variables).start_and_wait()
    assert ("in memory, for Python programs only" in first.output) is (program == "fake")
    message_id = press_and_wait(first)
    assert message_id in admin_page(first, "/admin/queueing/job/")
    with redis.Redis.from_url(first.redis_url) as connection:
        connection.set("kept", "yes")
    end_by_ctrl_c(first)

    second = launch(**variables).start_and_wait()
    assert second.password == first.password
    assert message_id in admin_page(second, "/admin/queueing/job/")
    press_and_wait(second)
    with redis.Redis.from_url(second.redis_url) as connection:
        assert (connection.get("kept") == b"yes") is (program == "redis-server")
    end_by_ctrl_c(second)


def test_a_second_terminal_uses_the_settings_of_the_running_site(launch: Launch, folder: Path):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    show = "from django.conf import settings as s; print(s.DEBUG, s.QUEUEING['URL'])"
    done = run(folder, "manage.py", "shell", "--verbosity", "0", "-c", show)
    assert done.stdout.strip() == f"True {site.redis_url}"


@pytest.mark.parametrize("program", ["redis-server", "fake"])
def test_no_other_user_can_read_the_files_of_a_run(launch: Launch, folder: Path, program: str):
    if program == "redis-server":
        require("redis-server", HINT)
    (folder / "var").mkdir(mode=0o755)
    (folder / "var/old").write_text("of an older release")
    site = launch(**({"EMBEDDED_REDIS": "fake"} if program == "fake" else {})).start_and_wait()
    press_and_wait(site)
    end_by_ctrl_c(site)
    var = folder / "var"
    left = {path: stat.S_IMODE(path.stat().st_mode) for path in [var, *var.rglob("*")]}
    assert {"db.sqlite3", "dev.env", "admin-password", "old"} <= {path.name for path in left}
    readable = {path: oct(mode) for path, mode in left.items() if mode & 0o077}
    assert readable == {}


@pytest.mark.parametrize("program", ["redis-server", "fake"])
def test_the_programs_of_a_killed_launcher_end_by_themselves(launch: Launch, program: str):
    if program == "redis-server":
        require("redis-server", HINT)
    variables = {"EMBEDDED_REDIS": "fake"} if program == "fake" else {}
    killed = launch(**variables).start_and_wait()
    left = killed.everything()
    assert len(left) >= 6, "guard, Redis, page and its reloader, worker and its watcher"
    with redis.Redis.from_url(killed.redis_url) as connection:
        connection.set("kept", "yes")
    killed.signal(signal.SIGKILL)
    killed.wait()

    site = launch(PORT=str(killed.port), **variables).start_and_wait()
    assert not living(left)
    with redis.Redis.from_url(site.redis_url) as connection:
        assert (connection.get("kept") == b"yes") is (program == "redis-server")
    end_by_ctrl_c(site)


@pytest.mark.parametrize("program", ["redis-server", "fake"])
def test_the_programs_of_a_killed_supervisor_are_stopped(launch: Launch, program: str):
    if program == "redis-server":
        require("redis-server", HINT)
    variables = {"EMBEDDED_REDIS": "fake"} if program == "fake" else {}
    site = launch(**variables).start_and_wait()
    left = site.everything()
    [supervisor] = site.children()
    supervisor.kill()
    assert site.wait() != 0
    assert not living(left)
    again = launch(PORT=str(site.port), **variables).start_and_wait()
    end_by_ctrl_c(again)


@pytest.mark.parametrize("signals", [1, 2, 8])
def test_sigterms_to_the_group_stop_it_in_order(launch: Launch, signals: int):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    left = site.everything()
    for _ in range(signals):
        site.signal_group(signal.SIGTERM)
    assert site.wait() == 0, site.tail()
    assert "Traceback" not in site.output
    assert not living(left)


def test_as_process_1_of_a_container_it_stops_in_order(launch: Launch):
    site = launch(EMBEDDED_REDIS="fake")
    site.args = require_namespace(site.args)
    site.start_and_wait()
    left = site.everything()
    [launcher] = site.children()
    launcher.terminate()
    assert site.wait() == 0, site.tail()
    assert not living(left)


@pytest.mark.parametrize("moment", ["at once", "after the lock", "after Redis", "after the database"])
def test_a_signal_during_the_start_leaves_nothing(launch: Launch, folder: Path, moment: str):
    files = {
        "after the lock": "launcher.lock",
        "after Redis": "dev.env",
        "after the database": "admin-password",
    }
    site = launch(EMBEDDED_REDIS="fake")
    site.start()
    if moment in files:
        eventually((folder / "var" / files[moment]).exists, what=site.tail)
    left = site.everything()
    site.signal_group(signal.SIGHUP)
    assert site.wait() in (0, -signal.SIGHUP), site.tail()
    eventually(lambda: not living(left))
    assert "Traceback" not in site.output


def test_a_second_ctrl_c_gives_back_running_jobs(launch: Launch):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    left = site.everything()

    def ends() -> bool:
        site.signal_group(signal.SIGINT)
        return not site.is_running

    eventually(ends, every_seconds=0.6, what=site.tail)
    assert site.wait() == 0
    assert not living(left)


@pytest.mark.soak
def test_a_hundred_stops_in_a_row_end_in_time_and_leave_nothing(launch: Launch):
    for number in range(100):
        site = launch(EMBEDDED_REDIS="fake").start_and_wait()
        left = site.everything()
        for _ in range((1, 2, 8)[number % 3]):
            site.signal_group(signal.SIGTERM)
        assert site.wait() == 0, site.tail()
        assert not living(left)


def test_the_in_memory_redis_causes_no_warning(launch: Launch):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    press_and_wait(site)
    end_by_ctrl_c(site)
    assert not re.search("WARNING|ERROR", site.output), site.output


@pytest.mark.parametrize(("name", "called"), [("worker", "worker"), ("web", "web server")])
def test_the_death_of_a_program_ends_the_run(launch: Launch, name: str, called: str):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    left = site.everything()
    site.process(name).kill()
    assert site.wait() == 1
    assert f"The {called} ended by itself (exit code -9)." in site.lines
    assert "Traceback" not in site.output
    assert not living(left)


def test_a_taken_port_gives_one_sentence(launch: Launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = launch(PORT=str(port))
        site.start()
        assert site.wait() == 1
    assert site.lines == [f"Port {port} is taken: choose another, as in `make run PORT=8001`."]


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_an_invalid_port_gives_one_sentence(folder: Path, port: str):
    program = Program(
        [sys.executable, "-m", "mqsite.devserver"], cwd=folder, env=NO_VARIABLES | {"PORT": port}
    )
    assert program.run() == 1
    assert program.lines == [f"PORT is {port!r}, but can only be a number from 1 to 65535."]


def test_a_second_launcher_in_the_same_folder_is_refused(launch: Launch):
    first = launch(EMBEDDED_REDIS="fake").start_and_wait()
    second = launch()
    second.start()
    assert second.wait() == 1
    assert second.lines == ["`make run` is running in this folder already."]
    assert accepts(first.port)


def test_a_given_redis_is_used_and_its_password_not_shown(
    launch: Launch, own_redis: Callable[..., RedisServer]
):
    server = own_redis(password="hidden-word")
    site = launch(REDIS_URL=server.url).start_and_wait()
    assert site.redis_url == f"redis://:***@127.0.0.1:{server.port}/0"
    assert "hidden-word" not in site.output
    assert set(site.own_processes()) == {"web", "worker"}
    press_and_wait(site)
    assert site.interrupt() == 0
    assert accepts(server.port), "it is not ours to stop"


def test_the_page_reloads_on_code_changes(launch: Launch, folder: Path):
    site = launch(EMBEDDED_REDIS="fake").start_and_wait()
    urls = folder / "mqsite/urls.py"
    new = "urlpatterns += [path('new', lambda request: HttpResponse('new'))]"
    urls.write_text(f"{urls.read_text()}\nfrom django.http import HttpResponse\n{new}\n")

    def is_there() -> bool:
        if time.time() - urls.stat().st_mtime > 5:
            urls.touch()  # The reloader does not see a change that is older than its list of files.
        return Visitor(site.port).get("/new").text == "new"

    eventually(is_there, what=site.tail)
    end_by_ctrl_c(site)
