"""The app that the site of these tests has in addition."""

from django.apps import AppConfig

MANY = 5000


class ShortRequests(AppConfig):
    """Make a request work on many messages for a moment only: some thousand are the work of many requests."""

    name = "tests.browser"

    def ready(self) -> None:
        """Shorten the slices of long actions on many messages."""
        from queueing.admin import long_actions

        whole = long_actions.Slice
        long_actions.Slice = lambda work, seconds: whole(work, 0.005 if work.total >= MANY else seconds)
