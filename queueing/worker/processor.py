"""Run one delivery to its outcome. It knows no thread, no signal and no Redis.

``process`` is a sequence of named steps, and every way through it ends in one of three words:
done, retrying or dead.
"""

from collections.abc import Callable

from .. import handlers
from ..context import Context, Workplace, current
from ..handlers import Runnable
from ..holdings import Delivery
from ..outcomes import Outcome
from .database import leave_database
from .event_loop import EventLoop
from .verdict import sentence, trace, verdict


class Processor:
    """Runs handlers in whatever thread calls it; async ones all on one event loop."""

    def __init__(self, workplace: Workplace, *, max_attempts: int, now_ms: Callable[[], float]) -> None:
        self.workplace, self.max_attempts, self.now_ms = workplace, max_attempts, now_ms
        self._loop = EventLoop()

    def process(self, delivery: Delivery) -> Outcome:
        """Run the code of a delivery and tell what became of it. Survives whatever it raises."""
        started_ms = self.now_ms()
        context = Context(delivery, self.workplace)
        current.set(context)
        runnable, result = None, ""
        error: BaseException | None = None
        try:
            runnable = handlers.find(delivery.queue, delivery.message)
            result = self._run(runnable, context)
        except BaseException as raised:
            # SystemExit and KeyboardInterrupt, too: a handler's are no order to this process.
            error = raised
        finally:
            leave_database()
            current.set(None)
        return self._outcome(context, runnable, started_ms, result, error)

    def _run(self, runnable: Runnable, context: Context) -> str:
        if runnable.is_async:
            return self._loop.run(runnable.run(context), timeout_seconds=runnable.policy.timeout)
        return runnable.run(context)

    def _outcome(
        self,
        context: Context,
        runnable: Runnable | None,
        started_ms: float,
        result: str,
        error: BaseException | None,
    ) -> Outcome:
        message = context.message
        event, delay_ms = verdict(runnable, context, error, max_attempts=self.max_attempts)
        return Outcome(
            queue=context.queue,
            id=message.id,
            rc=message.rc,
            event=event,
            worker=context.worker,
            handler=runnable.name if runnable else "",
            started_ms=started_ms,
            finished_ms=self.now_ms(),
            attempts=context.attempt,
            crashes=context.crashes,
            body=message.body,
            error=sentence(error) if error else "",
            traceback=trace(error) if error else "",
            result=result,
            delay_ms=delay_ms,
        )
