"""Runs a task. The worker calls this module for a message whose body describes a task."""

import json
import logging
from typing import Any

from django.utils import timezone

from queueing.broker import decode
from queueing.broker.task_body import TaskBody
from queueing.conf import get_conf
from queueing.context import Context
from queueing.exceptions import ResultRefused
from queueing.handlers import ValueOf
from queueing.policies import Policy
from queueing.signals import emit
from queueing.text.errors import class_path, sentence, trace

from . import ready, results
from .compat import Task, TaskContext, TaskError, TaskResult, TaskResultStatus, normalize_json, signals
from .results import TaskLookup

#: The most characters of a task's result as JSON. It is limited because Redis holds it until it is in the
#: database.
RESULT_CHARACTERS = 1_000_000

logger = logging.getLogger("queueing.worker")


class TaskCode:
    """The objects that all runs of a task share: the task, the lookup of its results, and its policy."""

    def __init__(self, task: Task, lookup: TaskLookup, sender: type) -> None:
        self.task, self.lookup, self.sender = task, lookup, sender
        self.policy: Policy = lookup.options.policy_for(task.func)


class TaskRun:
    """The task of one message, as code that a worker can run (a ``queueing.handlers.Runnable``)."""

    __slots__ = ("_body", "_lookup", "_sender", "_task", "name", "policy")

    def __init__(self, code: TaskCode, body: TaskBody) -> None:
        self._task, self._lookup, self._sender, self._body = code.task, code.lookup, code.sender, body
        self.name, self.policy = body.task, code.policy

    def run(self, context: Context, value_of: ValueOf) -> str:
        """Run the task, and return its return value as JSON, ``""`` for ``None``.

        Raises the errors of the task, and ``ResultRefused``.
        """
        # The result is made only if it is used: making it can double the time of a very short task.
        result = self._running(context) if self._task.takes_context or _is_observed() else None
        if result:
            emit(signals.task_started, self._sender, task_result=result)
        try:
            text = self._text(value_of(self._task.func(*self._args(result), **self._body.kwargs)))
        except BaseException as error:
            max_attempts = get_conf().MAX_ATTEMPTS
            is_last = self.policy.is_last_attempt(error, context.attempt, max_attempts=max_attempts)
            if is_last or context.is_cancelled:
                # Called while the exception is handled, so that receivers can get it.
                self._emit_failure(context, result, error)
            raise
        if result:
            emit(signals.task_finished, self._sender, task_result=self._succeeded(result, text))
        return text

    def delay_seconds(self, error: BaseException, context: Context) -> float:
        subject = None
        if callable(self.policy.backoff):
            subject = self._failed(self._running(context), error, TaskResultStatus.READY)
        return self.policy.delay_seconds(error, context.attempt, subject)

    def _emit_failure(self, context: Context, result: TaskResult | None, error: BaseException) -> None:
        try:
            result = self._failed(result or self._running(context), error, TaskResultStatus.FAILED)
        except Exception:
            logger.exception("%s: its failure has no result", context.message.id)
        else:
            emit(signals.task_finished, self._sender, task_result=result)

    # --- the result so far ---------------------------------------------------------------------

    def _running(self, context: Context) -> TaskResult:
        """The ``TaskResult`` of this message at the start of its present attempt."""
        message, body, lookup = context.message, self._body, self._lookup
        task = results.as_sent(self._task, body, lookup.sent_to(context.queue), lookup.alias)
        result = ready.new_result(task, lookup.alias, body.args, body.kwargs, message.id)
        now = timezone.now()
        started_at = now
        if context.attempt > 1 or context.crashes:
            started_at = self._recall(result, context) or now
        result.worker_ids.append(context.worker)
        ready.change(result, status=TaskResultStatus.RUNNING, started_at=started_at, last_attempted_at=now)
        return result

    def _recall(self, result: TaskResult, context: Context) -> Any:
        """Add the errors and the workers of earlier attempts to ``result``.

        Returns the start of the first attempt, ``None`` if it is unknown.
        """
        earlier = context.attempt - 1 + context.crashes
        starts: list[float] = []
        try:
            _, past = self._lookup.find(result.id)
            for outcome in past:
                if outcome.rc < context.message.rc and outcome.event in results.FAILURES:
                    result.errors.append(results.error_of(outcome))
                    result.worker_ids.append(outcome.worker)
                    starts += [outcome.started_ms] if outcome.started_ms else []
        except Exception as error:
            # The task runs without the earlier attempts.
            logger.warning("%s: its earlier attempts cannot be read: %s", result.id, error)
        # Attempts that the history has forgotten count, too.
        result.worker_ids[:0] = [""] * (earlier - len(result.worker_ids))
        return ready.moment(min(starts, default=None))

    def _args(self, result: TaskResult | None) -> list[Any]:
        if not self._task.takes_context:
            return self._body.args
        return [TaskContext(task_result=result), *self._body.args]  # type: ignore[arg-type]

    @staticmethod
    def _text(value: Any) -> str:
        """The return value of the task as JSON, ``""`` for ``None``.

        Raises ``ResultRefused`` for a value that is too long or that JSON cannot represent.
        """
        try:
            text = "" if value is None else _encode(normalize_json(value))
            if decode.is_deep(text):
                raise ValueError(f"it is nested more than {decode.MAX_DEPTH} deep")
        except Exception as error:
            raise ResultRefused(
                f"The task has run, but JSON cannot hold what it returned: {sentence(error)}"
            ) from error
        if len(text) > RESULT_CHARACTERS:
            raise ResultRefused(
                f"The task has run, but it returned {len(text):,} characters of JSON. The limit is "
                f"{RESULT_CHARACTERS:,}: store such a result elsewhere, and return where it is."
            )
        return text

    @staticmethod
    def _succeeded(result: TaskResult, text: str) -> TaskResult:
        value = json.loads(text) if text else None
        status = TaskResultStatus.SUCCESSFUL
        ready.change(result, _return_value=value, finished_at=timezone.now(), status=status)
        return result

    @staticmethod
    def _failed(result: TaskResult, error: BaseException, status: TaskResultStatus) -> TaskResult:
        result.errors.append(TaskError(exception_class_path=class_path(error), traceback=trace(error)))
        is_end = status == TaskResultStatus.FAILED
        ready.change(result, status=status, finished_at=timezone.now() if is_end else result.finished_at)
        return result


def _is_observed() -> bool:
    """Whether the signals for the start and end of a task have a receiver.

    Django's own receiver counts only if its log messages (level INFO) are enabled.
    """
    for signal, log in (
        (signals.task_started, signals.log_task_started),
        (signals.task_finished, signals.log_task_finished),
    ):
        receivers = signal.receivers
        is_log_alone = len(receivers) == 1 and receivers[0][0][0] == id(log)
        if signals.logger.isEnabledFor(logging.INFO) if is_log_alone else receivers:
            return True
    return False


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
