"""Small services of Redis to the rest: counting, its clock, and how it is set."""

from redis import exceptions as driver

from queueing.broker import refusals
from queueing.broker.scripts import commands
from queueing.broker.subscription import AWAY

from .base import ClientBase


class Service(ClientBase):
    """What has to do with Redis, but not with messages."""

    def count_hit(self, name: str, window_seconds: int) -> int:
        """Count one more ``name``; how many there were in the window that the first one began."""
        return self.scripts.run("hit", [self.keys.hits(name)], window_seconds * 1000)

    def ping(self) -> None:
        """Return if Redis takes writes. Raises ``QueueUnavailable``."""
        self.scripts.run("ping", [self.keys.never(), self.keys.queues()])

    def now_ms(self) -> int:
        """The server's clock. Raises ``QueueUnavailable``."""
        return self.scripts.run("now", [self.keys.queues()])

    def refused_commands(self) -> list[str]:
        """The commands that the scripts need and Redis refuses to its user. Redis 6.2 tells none."""
        names = self.scripts.run("refused", [self.keys.queues()], self.keys.channel(""), *commands())
        return [name.decode() for name in names]

    def eviction_policy(self) -> str | None:
        """Redis' maxmemory-policy, or ``None`` where it does not tell."""
        try:
            return self.redis.info("memory").get("maxmemory_policy")
        except AWAY as error:
            refusal = refusals.unanswered(error)
            if isinstance(error, driver.ResponseError) and getattr(refusal, "is_lasting", False):
                return None
            raise refusal from error
