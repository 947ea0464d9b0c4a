"""Pausing a queue and resuming it."""

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing
from queueing.messages import QueueFigures

from .actions import QueueAction


class Pause(QueueAction):
    """Give out no more messages."""

    name = "pause"
    permission = "pause_queue"
    label = gettext_lazy("pause")

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where it gives out messages now."""
        return not figures.paused

    def question(self) -> str:
        return _("Pause %s, so that it takes messages and gives none out?") % self.queue.name

    def notes(self) -> list[str]:
        return [
            _("Workers and receivers of this package find no message in it until it is resumed."),
            _("What runs is finished. Programs that use RSMQ itself do not heed it and go on receiving."),
        ]

    def act(self, form: forms.Form) -> HttpResponse:
        queueing.get_client().pause_queue(self.queue.name)
        return self.done(_("Paused %s: it takes messages and gives none out.") % self.queue.name)


class Resume(QueueAction):
    """Give out messages again."""

    name = "resume"
    permission = "pause_queue"
    label = gettext_lazy("resume")

    @classmethod
    def is_offered(cls, figures: QueueFigures) -> bool:
        """Only where it is paused."""
        return figures.paused

    def question(self) -> str:
        return _("Give out the messages of %s again?") % self.queue.name

    def notes(self) -> list[str]:
        return [_("Workers and receivers who wait get them at once.")]

    def act(self, form: forms.Form) -> HttpResponse:
        queueing.get_client().resume_queue(self.queue.name)
        return self.done(_("Resumed %s.") % self.queue.name)
