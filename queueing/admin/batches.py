"""The page of batches, with actions to cancel a batch or to redrive its dead messages."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import queueing
from queueing.broker import batches
from queueing.broker.outcomes import State
from queueing.client import QueueClient, sent_batches
from queueing.messages import BatchState
from queueing.templatetags.queueing_text import visible

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
        found = batches.find(sent_batches.part_of(client, name).session, [name])
        waiting = found[0].waiting if found else 0
        return ngettext(
            "Cancel this batch? %(count)d member waits or runs.",
            "Cancel this batch? %(count)d members wait or run.",
            waiting,
        ) % {"count": waiting}

    def act(self, client: QueueClient, name: str) -> str | None:
        batches.cancel(sent_batches.part_of(client, name).session, name)
        return _("Cancelled the batch %s: its members that wait do not run.") % name


@dataclass(frozen=True, slots=True)
class Row:
    """The data of one batch for the template."""

    batch: BatchState
    queues: list[tuple[str, str]]
    verbs: list[dict[str, Any]]

    @property
    def id(self) -> str:
        return visible(self.batch.id)

    @property
    def word(self) -> str:
        return str(State(self.batch.state).label)


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

    def _row(self, request: HttpRequest, batch: BatchState, known: frozenset[str]) -> Row:
        offered: list[type[RowAction]] = []
        if batch.failed and not batch.is_cancelled:
            offered.append(RetryBatch)
        if batch.state == State.RUNNING and not batch.ended_ms:
            offered.append(CancelBatch)
        return Row(
            batch=batch,
            queues=self.links(request, batch.queues, known),
            verbs=self.buttons(request, batch.id, *offered),
        )
