"""The page of batches, with actions to cancel a batch or to redrive its dead messages."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import queueing
from queueing.broker import batches
from queueing.broker.outcomes import State
from queueing.client import QueueClient, sent_batches
from queueing.messages import BatchState

from .redis_rows import RowAction, RowPage

#: The number of batches on the page.
SHOWN = 100


class RetryBatch(RowAction):
    name = "retry"
    permission = "retry_batch"
    label = gettext_lazy("Retry failed")

    def act(self, client: QueueClient, name: str) -> str | None:
        count = sent_batches.retry(client, name)
        return ngettext("%(count)d dead member runs again.", "%(count)d dead members run again.", count) % {
            "count": count
        }


class CancelBatch(RowAction):
    """Cancel a batch: its messages that have not started do not run."""

    name = "cancel"
    permission = "cancel_batch"
    label = gettext_lazy("Cancel")
    destroys = True

    def question(self, client: QueueClient, name: str) -> str:
        waiting = batches.state_of(sent_batches.part_of(client, name).session, name).waiting
        return ngettext(
            "Cancel this batch? %(count)d member waits or runs.",
            "Cancel this batch? %(count)d members wait or run.",
            waiting,
        ) % {"count": waiting}

    def act(self, client: QueueClient, name: str) -> str | None:
        batches.cancel(sent_batches.part_of(client, name).session, name)
        return _("Cancelled the batch %s: its members that wait do not run.") % name


class BatchAdmin(RowPage):
    """The newest batches, or those that a search has found."""

    verbs = (RetryBatch, CancelBatch)
    searches = True

    def read(self, client: QueueClient) -> tuple[int, list[BatchState], frozenset[str]]:
        return *sent_batches.newest(client, SHOWN), frozenset(client.list_queues())

    def context(
        self, request: HttpRequest, known: tuple[int, list[BatchState], frozenset[str]]
    ) -> dict[str, Any]:
        total, found, queues = known
        if query := self.query(request):
            found = sent_batches.search(queueing.get_client().reachable(), query, SHOWN)
        return {
            "rows": [self._row(request, batch, queues) for batch in found],
            "total": total,
        }

    def _row(self, request: HttpRequest, batch: BatchState, known: frozenset[str]) -> dict[str, Any]:
        offered: list[type[RowAction]] = []
        if batch.failed and not batch.is_cancelled:
            offered.append(RetryBatch)
        if batch.state == State.RUNNING and not batch.ended_ms:
            offered.append(CancelBatch)
        return {
            "batch": batch,
            "word": State(batch.state).label,
            "queues": self.links(request, batch.queues, known),
            "verbs": self.buttons(request, batch.id, *offered),
        }
