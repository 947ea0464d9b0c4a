"""Small services of Redis to the rest: counting, its clock, and how it is set."""

from redis import exceptions as driver

from ..exceptions import QueueUnavailable
from .base import ClientBase


class Service(ClientBase):
    """What has to do with Redis, but not with messages."""

    def count_hit(self, name: str, window_seconds: int) -> int:
        """Count one more ``name``; how many there were in the window that the first one began."""
        return self.scripts.run("hit", [self.keys.hits(name)], window_seconds * 1000)

    def ping(self) -> None:
        """Return if Redis takes writes. Raises ``QueueUnavailable``."""
        self.scripts.run("ping", [self.keys.never()])

    def now_ms(self) -> int:
        """The server's clock. Raises ``QueueUnavailable``."""
        return self.scripts.run("now", [self.keys.queues()])

    def eviction_policy(self) -> str | None:
        """Redis' maxmemory-policy, or ``None`` where it does not tell."""
        try:
            return self.redis.info("memory").get("maxmemory_policy")
        except driver.ResponseError:
            return None
        except driver.RedisError as error:
            raise QueueUnavailable(f"Redis does not answer ({type(error).__name__})") from error
