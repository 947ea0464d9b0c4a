"""Decides which outcomes the history keeps, by the setting ``HISTORY``."""

from collections.abc import Sequence

from queueing.conf import Config

from .outcomes import Outcome, State
from .task_body import is_task


def is_recorded(config: Config, outcome: Outcome) -> bool:
    """Whether the history keeps an outcome. Outcomes of tasks are always kept, because they hold the results.

    With ``HISTORY="failed"``, the history keeps all outcomes except for ``done`` in the first delivery. It
    keeps ``done`` after a retry, because otherwise the row of the message would stay ``retrying`` for ever.
    """
    kept = config.history_of(outcome.queue)
    if kept == "all" or is_task(outcome.body):
        return True
    return kept == "failed" and not (outcome.event == State.DONE and outcome.rc <= 1)


def for_outbox(config: Config, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Select the outcomes that are written to the outbox. All ``outcomes`` must belong to one queue.

    An outcome whose signals were not sent, such as that of a process that has died, is always selected: the
    recorder reads the outbox and sends them.
    """
    if not outcomes or config.history_of(outcomes[0].queue) == "all":
        return outcomes
    return [one for one in outcomes if is_recorded(config, one) or not one.is_reported]
