"""Small services of Redis to the rest: counting, heartbeats, and how Redis is set."""

import json
from collections.abc import Mapping
from typing import Any

from redis import exceptions as driver

from .. import validation
from ..exceptions import QueueUnavailable
from ..messages import WorkerRecord
from .base import ClientBase


class Service(ClientBase):
    """What has to do with Redis, but not with messages."""

    def count_hit(self, name: str, window_seconds: int) -> int:
        """Count one more ``name``; how many there were in the window that the first one began."""
        return self.scripts.run("hit", [self.keys.hits(name)], window_seconds * 1000)

    def ping(self) -> None:
        """Nothing, or ``QueueUnavailable``."""
        self.scripts.run("ping", [self.keys.queues()])

    def eviction_policy(self) -> str | None:
        """Redis' maxmemory-policy, or ``None`` where it does not tell."""
        try:
            return self.redis.info("memory").get("maxmemory_policy")
        except driver.ResponseError:
            return None
        except driver.RedisError as error:
            raise QueueUnavailable(f"Redis does not answer ({type(error).__name__})") from error

    def beat(self, worker: str, record: str) -> None:
        """Note that ``worker`` is alive, with a JSON text about it, at the server's time."""
        self.scripts.run("beat", [self.keys.workers()], worker, record)

    def forget_worker(self, worker: str) -> None:
        """Strike a worker that has left from the list of the living."""
        self.scripts.run("forget_worker", [self.keys.workers()], worker)

    def worker_records(self) -> list[WorkerRecord]:
        """The workers that have not left, dead ones too, by name; what cannot be read has no record."""
        now_ms, *pairs = self.scripts.run("workers", [self.keys.workers()])
        return sorted(
            (_record(name, text, int(now_ms)) for name, text in zip(pairs[::2], pairs[1::2], strict=True)),
            key=lambda record: record.name,
        )


def _record(name: bytes, text: bytes, now_ms: int) -> WorkerRecord:
    beat_ms, _, record = text.partition(b" ")
    age_seconds = max(0, now_ms - validation.stored_int(beat_ms)) / 1000
    return WorkerRecord(validation.decode(name), age_seconds, _read(record))


def _read(text: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
