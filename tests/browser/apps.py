"""The app that the site of these tests has in addition."""

from django.apps import AppConfig

from tests.support.waiting import HANG_SECONDS


class OtherTimes(AppConfig):
    """Make a request work for a moment only, and wait for Redis as long as a busy machine needs."""

    name = "tests.browser"

    def ready(self) -> None:
        """Change the times of long actions and of pages."""
        from queueing.admin import long_actions
        from queueing.resilience import deadline

        # Few messages are the work of many requests.
        long_actions.SLICE_SECONDS = 0.005
        deadline.READ_SECONDS = deadline.WRITE_SECONDS = HANG_SECONDS
