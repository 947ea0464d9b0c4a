"""The client of event loops with the face of the client of threads, so that both run the same tests."""

import asyncio
import inspect
import threading
from collections.abc import Coroutine
from functools import wraps
from typing import Any

from queueing.client import AsyncQueueClient, QueueClient


class LoopedClient:
    """Runs each operation of an ``AsyncQueueClient`` on a loop in a thread, and waits for its result.

    Everything else is that of the ``QueueClient`` on the same Redis.
    """

    def __init__(self, client: QueueClient) -> None:
        self.asynchronous = AsyncQueueClient(client)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.asynchronous, name, None)
        if not inspect.iscoroutinefunction(method):
            return getattr(self.asynchronous.of, name)

        @wraps(method)
        def run(*args: Any, **kwargs: Any) -> Any:
            return self.run(method(*args, **kwargs))

        return run

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop. Returns its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
