"""The last release beside this one, on one Redis and one database: both orders of a deploy, and a rollback.

``make soak ARGS=tests/faults/test_two_releases.py`` runs it. The environment variable ``LAST_RELEASE`` names
the commit of the last release; without it, it is the newest tag.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.program import Program
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import environment

pytestmark = pytest.mark.soak

QUEUES = ("brisk", "raising")
OPTIONS = (*QUEUES, "--processes", "2", "--threads", "4")
#: Sends with the code of the release in whose folder it runs. Arguments: queue, number of messages.
SEND = """
import sys, django
django.setup()
import queueing
print(*queueing.get_client().send_messages(sys.argv[1], ["old"] * int(sys.argv[2])))
"""


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the last release."""
    commit = os.environ.get("LAST_RELEASE") or git("describe", "--tags", "--abbrev=0")
    if not commit:
        pytest.skip("there is no release yet: name a commit in LAST_RELEASE")
    tree = tmp_path_factory.mktemp("release") / "tree"
    git("worktree", "add", "--quiet", "--detach", str(tree), commit)
    assert (tree / "manage.py").exists(), f"git does not know {commit}"
    yield tree
    git("worktree", "remove", "--force", str(tree))


class Sides:
    """Programs of both releases on one Redis and one database."""

    def __init__(self, old: Path, url: str, database: Path, ledger: Path) -> None:
        self._trees = {"old": old, "new": ROOT}
        self._env = environment(url, database, ledger)

    def program(self, side: str, *words: str) -> Program:
        """``python WORDS`` in the tree of a release."""
        tree = self._trees[side]
        return Program(
            [sys.executable, *words],
            env={**self._env, "PYTHONPATH": str(tree)},
            cwd=tree,
            name=f"{side} {words[1]}",
        )

    def run(self, side: str, *words: str) -> str:
        program = self.program(side, *words)
        assert program.run() == 0, program.tail()
        return program.output

    def worker(self, side: str) -> Program:
        return self.program(side, "manage.py", "runworker", *OPTIONS)

    def send(self, queue: str, count: int) -> list[str]:
        """Send with the code of the last release."""
        return self.run("old", "-c", SEND, queue, str(count)).split()


@pytest.fixture
def sides(old_tree: Path, redis_server: RedisServer, ledger: Ledger, tmp_path: Path) -> Sides:
    found = Sides(old_tree, redis_server.url, tmp_path / "history.sqlite3", ledger.path)
    found.run("old", "manage.py", "migrate", "--verbosity", "0")
    return found


@pytest.mark.parametrize("migrated", ["before the new workers", "after the new workers"])
def test_a_deploy_and_its_rollback_lose_no_message_and_no_outcome(
    sides: Sides,
    client: QueueClient,
    ledger: Ledger,
    invariants: Invariants,
    tmp_path: Path,
    migrated: str,
):
    diary = Diary(tmp_path / "history.sqlite3")
    for queue in QUEUES:
        client.create_queue(queue)
    sent: list[str] = []
    failing: list[str] = []

    def send() -> None:
        """Send with both releases, beside the workers."""
        sent.extend(client.send_messages("brisk", ["new"] * 150))
        failing.extend(client.send_messages("raising", ["new"] * 5))
        for queue, ids, count in (("brisk", sent, 150), ("raising", failing, 5)):
            old = sides.send(queue, count)
            invariants.sent(queue, old)
            ids.extend(old)

    def migrate() -> None:
        sides.run("new", "manage.py", "migrate", "--verbosity", "0")

    kills = 0
    with ExitStack() as stack:
        workers = {"old": stack.enter_context(sides.worker("old"))}
        send()
        if migrated.startswith("before"):
            migrate()
        for release in ("new", "old", "new"):  # the deploy, a rollback, and the deploy again
            before = ledger.count()
            workers[release] = stack.enter_context(sides.worker(release))
            send()
            eventually(lambda before=before: ledger.count() > before + 100, of=workers[release])
            if release == "new" and migrated.startswith("after"):
                migrate()
            other = workers.pop("old" if release == "new" else "new")
            other.kill_group()
            kills += 1
            send()
        last = workers["new"]
        eventually(lambda: diary.ids("done") >= set(sent), of=last, every_seconds=0.5)
        eventually(lambda: diary.ids("dead") == set(failing), of=last)
    assert max(ledger.runs()[id] for id in sent) <= 1 + kills
    assert all(diary.row(id)["attempts"] == 3 for id in failing)
    invariants.check(drained=QUEUES, diary=diary)
