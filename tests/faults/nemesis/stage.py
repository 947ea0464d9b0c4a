"""The targets of the faults: workers, each behind its own proxy, their Redis and their database."""

from collections.abc import Callable
from contextlib import ExitStack

import psutil

from queueing.client import QueueClient
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.worker_process import WorkerProcess

QUEUES = ("ledger", "brisk", "slow", "flaky", "raising", "sending", "hard")
#: Options of each worker, as in typical deployments.
SHAPES = (("--processes", "2", "--threads", "2"), ("--threads", "4"), ())
#: Messages that all workers together can run at a time.
SLOTS = 2 * 2 + 4 + 1


class Post:
    """A slot for one worker, which is refilled when its worker is gone."""

    def __init__(self, stage: "Stage", options: tuple[str, ...], proxy: CuttingProxy) -> None:
        self.stage, self.options, self.proxy = stage, options, proxy
        self.fill()

    def fill(self) -> None:
        """Start a worker, even while an older one is still ending."""
        self.process = self.stage.make(self.options, self.proxy.url)
        self.process.start()

    def children(self) -> list[psutil.Process]:
        """The processes in which messages have run."""
        ran = {entry.pid for entry in self.stage.ledger.entries()}
        return [child for child in self._of_supervisor() if child.pid in ran]

    def keepers(self) -> list[psutil.Process]:
        """The keeper. A new child may be taken for it, too."""
        ran = {entry.pid for entry in self.stage.ledger.entries()}
        return [child for child in self._of_supervisor() if child.pid not in ran]

    def _of_supervisor(self) -> list[psutil.Process]:
        try:
            return self.process.children()
        except psutil.NoSuchProcess:
            return []


class Stage:
    """All targets of the nemesis."""

    def __init__(
        self,
        worker: Callable[..., WorkerProcess],
        redis: RedisServer,
        postgres: PostgresServer,
        client: QueueClient,
        ledger: Ledger,
    ) -> None:
        self._worker, self.redis, self.postgres = worker, redis, postgres
        self.client, self.ledger = client, ledger
        self._stack = ExitStack()
        #: Workers that were asked to stop, and end by themselves.
        self.leaving: list[WorkerProcess] = []
        self.posts: list[Post] = []

    def __enter__(self) -> "Stage":
        for queue in QUEUES:
            self.client.create_queue(queue)
        self.senders_proxy = self._proxy()
        self.posts = [Post(self, shape, self._proxy()) for shape in SHAPES]
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _proxy(self) -> CuttingProxy:
        return self._stack.enter_context(CuttingProxy(self.redis.port))

    def make(self, options: tuple[str, ...], redis_url: str) -> WorkerProcess:
        env = {"DATABASE_URL": self.postgres.url, "TEST_LEASE": "2"}
        return self._worker(*QUEUES, *options, redis_url=redis_url, env=env)
