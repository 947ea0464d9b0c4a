"""Moving dead letters back to their queue."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.admin.long_actions import Work
from queueing.client import QueueClient
from queueing.messages import QueueFigures

from .selection import SelectionAction


class Redrive(SelectionAction):
    """Give dead letters all their attempts again."""

    name = "redrive"
    permission = "redrive_queue"
    label = gettext_lazy("redrive")

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where there are dead letters."""
        return figures.dead > 0

    @property
    def available(self) -> int:
        return self.figures.dead

    @cached_property
    def source(self) -> str:
        """Where the dead letters are; the figures have just said so."""
        return queueing.get_client().dead_letter_queue(self.queue.name)

    def nothing(self) -> str:
        return _("There is no dead letter of %s to move back.") % self.queue.name

    def question(self) -> str:
        words = {"messages": self.how_many(), "source": self.source, "queue": self.queue.name}
        return _("Move %(messages)s of %(source)s back to %(queue)s?") % words

    def notes(self) -> list[str]:
        return [_("They have all their attempts again. Ids, bodies, headers and receive counts stay.")]

    def move(self, client: QueueClient, work: Work, which: dict[str, Any]) -> int:
        return client.redrive(self.queue.name, **which)

    def said(self, work: Work) -> str:
        return self.moved(work, self.source, self.queue.name)
