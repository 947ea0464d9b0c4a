"""Fixtures for all tests: a real Redis, clients on it, and a check for processes that a test left behind."""

import fcntl
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from hypothesis import HealthCheck, settings

from .support.clock import Clock
from .support.diary import Diary
from .support.ledger import Ledger
from .support.program import Program, left_over, spare
from .support.programs import ROOT
from .support.redis_server import RedisServer
from .support.stalls import Stalls
from .support.waiting import HANG_SECONDS, eventually
from .support.worker_process import MANAGE, WorkerProcess, migrate, site_environment

if TYPE_CHECKING:
    from queueing.client import QueueClient

#: Files of tests that take about a minute, on a busy machine at least.
LONGEST = ("test_nemesis", "test_idle", "test_model", "test_spoilt_keys", "test_number_formats")
#: Folders whose tests mostly wait for real processes.
WAITING = ("faults", "browser", "integration")
#: The name under which a test's report carries its measured figures.
FIGURE = "figure"

# On a busy machine an example takes long to generate, and a deadline would measure the machine.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

# Started programs inherit ignored signals, and nohup ignores this one.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _registering_modules_are_imported() -> None:
    """Import all handlers and tasks before the first test, with the settings of the site.

    Python imports a module once. If a test imported it, only that test would see its registrations, and
    Django would check its tasks by the settings of that test.
    """
    from queueing import handlers
    from queueing.tasks import registry

    handlers.discover()
    registry.discover(())


@pytest.fixture(autouse=True)
def _registries_are_restored(_registering_modules_are_imported: None) -> Iterator[None]:
    """Restore process-wide state that a test changed, so that the order of tests does not matter."""
    from queueing import handlers, periodic
    from queueing.client import default
    from queueing.tasks import registry

    registries: list[dict | list] = [
        handlers._handlers,
        handlers._resolvers,
        periodic._registered,
        periodic._makers,
        registry._declared,
        default._shared,
    ]
    before = [register.copy() for register in registries]
    loggers = {name: _logging_state(name) for name in ("", "queueing", "queueing.worker")}
    yield
    for register, content in zip(registries, before, strict=True):
        register.clear()
        (register.update if isinstance(register, dict) else register.extend)(content)
    for name, (level, handlers_of, propagate) in loggers.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers_of, propagate


def _logging_state(name: str) -> tuple[int, list[logging.Handler], bool]:
    logger = logging.getLogger(name)
    return logger.level, logger.handlers.copy(), logger.propagate


@pytest.fixture(scope="session")
def _session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        spare(server.pid)
        yield server


@pytest.fixture
def redis_server(_session_redis: RedisServer) -> RedisServer:
    """A real Redis shared by the session, empty at the start of each test."""
    connection = _session_redis.connect()
    connection.flushall()
    connection.close()
    return _session_redis


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    """Makes Redis servers for one test, to restart, kill or fill: ``own_redis(appendonly=True)``."""
    started: list[RedisServer] = []

    def start(**options: bool | str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("own-redis"), **options)  # type: ignore[arg-type]
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def redis_connection(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """redis-py on the real Redis, without decoding, as ``QueueClient`` needs it."""
    with redis_server.connect() as connection:
        yield connection


@pytest.fixture
def client(redis_connection: redis.Redis) -> "QueueClient":
    """A ``QueueClient`` on the real Redis (Django's test client is ``django.test.Client()``)."""
    from queueing.client import QueueClient

    return QueueClient(redis_connection)


@pytest.fixture
def fake_client() -> "QueueClient":
    """A ``QueueClient`` on fakeredis, empty and not shared."""
    import fakeredis

    from queueing.client import QueueClient

    return QueueClient(fakeredis.FakeRedis(server=fakeredis.FakeServer()))


@pytest.fixture
def shared_client(client: "QueueClient", monkeypatch: pytest.MonkeyPatch) -> Iterator["QueueClient"]:
    """The same client, which ``queueing.get_client()`` returns in this process.

    On a busy machine an answer of Redis may take longer than a page may wait for it.
    """
    from queueing.client.default import use_client
    from queueing.resilience import deadline

    monkeypatch.setattr(deadline, "READ_SECONDS", HANG_SECONDS)
    monkeypatch.setattr(deadline, "WRITE_SECONDS", HANG_SECONDS)
    use_client(client)
    yield client
    use_client(None)


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    """Notes for how long the machine stands still during the test."""
    with Stalls() as watch:
        yield watch


@pytest.fixture
def redis_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Make Redis refuse the client of this process. Its URL has a password, which must never be shown.

    The clock counts the pauses of the client between its tries. A refusal itself takes no time.
    """
    from queueing.broker import session, session_base
    from queueing.client.default import connect, use_client
    from queueing.conf import Config

    use_client(connect(Config(URL="redis://user:secret@127.0.0.1:1/0", TIMEOUT=0.3)))
    yield Clock().rules(monkeypatch, session, session_base)
    use_client(None)


@contextmanager
def once_for_all_processes(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder that all test processes share, and whether one of them has already done what follows."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.done").open("a+") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)
        yield shared, bool(stamp.tell())
        stamp.write("done")
        stamp.flush()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with once_for_all_processes(tmp_path_factory, "migrated") as (folder, is_done):
        path = folder / "migrated.sqlite3"
        if not is_done:
            migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(_migrated: Path, tmp_path: Path) -> Path:
    """An SQLite file with all tables, for this test."""
    return Path(shutil.copy(_migrated, tmp_path / "database.sqlite3"))


@pytest.fixture
def diary(database: Path) -> Diary:
    return Diary(database)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.txt")


@pytest.fixture
def worker(
    request: pytest.FixtureRequest, database: Path, ledger: Ledger
) -> Iterator[Callable[..., WorkerProcess]]:
    """Makes workers: ``worker("ledger", "--burst", redis_url=…, env=…)``; the session's Redis by default."""
    made: list[WorkerProcess] = []

    def make(*options: str, redis_url: str = "", env: dict[str, str | None] | None = None) -> WorkerProcess:
        url = redis_url or request.getfixturevalue("redis_server").url
        made.append(WorkerProcess(*options, redis_url=url, database=database, ledger=ledger.path, env=env))
        return made[-1]

    yield make
    for process in made:
        process.stop()


@pytest.fixture
def site_worker(redis_server: RedisServer, database: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Makes workers with the site's own settings and handlers: ``site_worker("testqueue")``."""
    made: list[WorkerProcess] = []

    def make(*options: str) -> WorkerProcess:
        settings = site_environment(redis_server.url, f"sqlite:///{database}")
        made.append(WorkerProcess(*options, redis_url=redis_server.url, database=database, env=settings))
        return made[-1]

    yield make
    for process in made:
        process.stop()


@pytest.fixture(scope="session")
def collected_static(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The static files as a platform's build collects them: without a variable, Redis or database.

    They are collected once for all test processes, into the project's own folder.
    """
    with once_for_all_processes(tmp_path_factory, "collected-static") as (_, is_done):
        if is_done:
            return
        nothing = dict.fromkeys(site_environment("", ""), None)
        done = Program(
            [sys.executable, MANAGE, "collectstatic", "--noinput", "--verbosity", "0"],
            env={**nothing, "DJANGO_SETTINGS_MODULE": "mqsite.settings"},
            name="collectstatic",
        )
        assert done.run() == 0, done.tail()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a measured figure at the end of the run."""

    def say(line: str) -> None:
        # The report of the test carries it to the process that prints, from any process that ran the test.
        request.node.user_properties.append((FIGURE, line))

    return say


def pytest_configure() -> None:
    """Give the programs of tests the default signals, also if this run ignores them, as under ``nohup``.

    A program inherits a signal that is ignored. One that has a handler here is reset in the program.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that last longest. Otherwise the run would wait for them alone at the end.

    A file stays together (``--dist loadfile``), because its tests share expensive fixtures. Only one
    launcher at a time may look for a free port for its Redis.
    """

    @cache
    def place(path: Path) -> tuple[bool, bool]:
        folder = path.relative_to(ROOT / "tests").parts[0]
        return path.stem not in LONGEST, folder not in WAITING

    items.sort(key=lambda item: place(item.path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    figures = [value for report in calls for name, value in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def _no_process_is_left_behind() -> Iterator[None]:
    """A test that starts a process must end it. Processes of wider fixtures end with their fixture."""
    before = {process.pid for process in left_over()}
    yield

    def none_left() -> bool:
        return not {process.pid for process in left_over()} - before

    eventually(none_left, what=lambda: f"left behind: {left_over()}")
