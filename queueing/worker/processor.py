"""Runs the code of one delivery, and returns its outcome.

The outcome has one of five states: done, retrying, dead, cancelled, or released. Released means that the
message is given back: its code was not found but may be in a newer release, or the job asked to run later.
"""

import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from queueing import handlers
from queueing.broker.batches import next_step
from queueing.broker.leases import Delivery
from queueing.broker.outcomes import Outcome, State
from queueing.context import Context, Runtime, current
from queueing.handlers import Runnable
from queueing.policies import Snooze
from queueing.signals import emit, job_started
from queueing.text.errors import class_path, sentence, trace

from .database import tend_connections_of_run
from .processes import end_if_fork
from .retries import MayNotRunAgain, NotBegun, UnreadableMessage, verdict
from .runtime import CleanContext, DeliveryKey, EventLoop, awaited, is_pending, refuse_lazy
from .shared_memory import Mark

logger = logging.getLogger("queueing.worker")

#: How long an async function may take to end after it was cancelled at its time limit.
CANCELLING_SECONDS = 5.0


class Processor:
    """Runs handlers in any thread that calls it. Coroutines run on one shared event loop."""

    def __init__(self, runtime: Runtime, *, max_attempts: int, now_ms: Callable[[], float]) -> None:
        self.runtime, self.max_attempts, self.now_ms = runtime, max_attempts, now_ms
        self._loop = EventLoop()
        self._clean = CleanContext()

    def stop(self, delivery: DeliveryKey) -> None:
        """Cancel the run of a delivery if it is async.

        ``Runtime.stop_reason`` must already return the reason.
        """
        self._loop.cancel(delivery)

    def process(self, delivery: Delivery, mark: Mark) -> Outcome:
        """Run the code of a delivery. Returns its outcome, even if the code raises ``SystemExit``.

        ``mark`` records in shared memory that the delivery has started. The caller must remove the mark.
        """
        started_ms = self.now_ms()
        mark.start(delivery, started_ms)
        try:
            return self._clean.run(self._process, delivery, mark, started_ms)
        except BaseException as thrown:
            # Another thread has raised this exception in this thread, which must continue.
            context = Context(delivery, self.runtime)
            return self._outcome(delivery, context, None, started_ms, "", thrown)

    def _process(self, delivery: Delivery, mark: Mark, started_ms: float) -> Outcome:
        context = Context(delivery, self.runtime)
        current.set(context)
        runnable, result = None, ""
        error: BaseException | None = None
        self._tend_connections()
        try:
            if delivery.fault:
                raise UnreadableMessage(delivery.fault)
            runnable = handlers.find(delivery.queue, delivery.message)
            result = self._run(runnable, context, mark)
        except BaseException as raised:
            # SystemExit and KeyboardInterrupt, too: those of a handler must not end this process.
            error = raised
        end_if_fork(error)
        self._tend_connections()
        return self._outcome(delivery, context, runnable, started_ms, result, error)

    def _run(self, runnable: Runnable, context: Context, mark: Mark) -> str:
        if context.is_cancelled:
            raise NotBegun
        policy = runnable.policy
        if policy.max_attempts == 1 and context.crashes:
            raise MayNotRunAgain
        mark.may_run_again = policy.max_attempts != 1
        if job_started.receivers:
            emit(job_started, Context, context=context)
            end_if_fork()
        limit = policy.timeout
        deadline = time.monotonic() + limit if limit else None
        if limit and deadline:
            mark.limit(deadline, limit)

        def value_of(returned: Any) -> Any:
            # Only the parent can await: the event loop does not run in a fork.
            end_if_fork()
            if is_pending(returned):
                if limit and deadline:
                    # The loop cancels the coroutine. If it blocks the loop, its process must be killed.
                    mark.limit(deadline + CANCELLING_SECONDS, limit)
                returned = self._await(awaited(returned), deadline, limit or 0)
            refuse_lazy(returned)
            return returned

        return runnable.run(context, value_of)

    def _await(self, coroutine: Coroutine[Any, Any, Any], deadline: float | None, limit: float) -> Any:
        return self._loop.run(coroutine, deadline=deadline, limit_seconds=limit)

    def _tend_connections(self) -> None:
        try:
            tend_connections_of_run()
        except BaseException:
            # The run has ended, and its result stays valid.
            logger.exception("the database connections of a run could not be left in order")

    def _outcome(
        self,
        delivery: Delivery,
        context: Context,
        runnable: Runnable | None,
        started_ms: float,
        result: str,
        error: BaseException | None,
    ) -> Outcome:
        event, delay_ms, note = verdict(runnable, context, error, max_attempts=self.max_attempts)
        is_snooze = isinstance(error, Snooze)
        failure = None if is_snooze or isinstance(error, NotBegun) else error
        # A released job has not begun, or it has raised ``Snooze``. ``NotBegun`` means that a job was stopped
        # before it began. None of these counts as an attempt.
        is_attempt = event is not State.RELEASED and not isinstance(error, NotBegun)
        text = "" if error is None else sentence(error)
        if event is State.CANCELLED:
            text = self.runtime.stop_reason(delivery) or text
        return delivery.ended(
            event,
            self.runtime.worker,
            handler=runnable.name if runnable else "",
            started_ms=started_ms if is_attempt or is_snooze else None,
            finished_ms=self.now_ms(),
            attempts=delivery.failed + is_attempt,
            error=text,
            traceback=note if failure is None else trace(failure) + note,
            error_class="" if error is None else class_path(error),
            result=result,
            delay_ms=delay_ms,
            is_reported=not isinstance(error, MayNotRunAgain),
            due_ms=delivery.due_ms,
            next_step=next_step(delivery.message.headers, result) if event is State.DONE else None,
            log_fields=context.log_fields,
            exception=failure,
        )
