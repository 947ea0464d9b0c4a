"""Deleting all messages of a queue."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from queueing.admin.long_actions import LongAction, Slice, Work
from queueing.client import QueueClient
from queueing.messages import QueueFigures


class Purge(LongAction):
    """Delete every message that no worker holds."""

    name = "purge"
    permission = "purge_queue"
    label = gettext_lazy("purge")
    destroys = True

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where there is a message to delete."""
        return figures.attributes.msgs > figures.running

    def nothing(self) -> str:
        return _("There is no message of %s to delete: what is running is kept.") % self.queue.name

    def question(self) -> str:
        count = self.total({})
        text = ngettext(
            "Delete %(count)d message of %(queue)s?", "Delete %(count)d messages of %(queue)s?", count
        )
        return text % {"count": count, "queue": self.queue.name}

    def notes(self) -> list[str]:
        running = self.figures.running
        kept = ngettext("%d more is running and kept.", "%d more are running and kept.", running) % running
        return [
            _("Delayed and hidden ones go, too; the queue itself stays. This cannot be undone."),
            *([kept] if running else []),
        ]

    def total(self, choice: Mapping[str, Any]) -> int:
        return max(0, self.figures.attributes.msgs - self.figures.running)

    def run(self, client: QueueClient, work: Work, progress: Slice) -> int:
        return client.purge_queue(self.queue.name, progress=progress)

    def said(self, work: Work) -> str:
        text = ngettext(
            "Deleted %(count)d message of %(queue)s.", "Deleted %(count)d messages of %(queue)s.", work.done
        )
        return text % {"count": work.done, "queue": self.queue.name}
