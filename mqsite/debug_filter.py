"""Hides passwords in the settings that Django's debug page shows."""

from typing import Any

from django.views.debug import SafeExceptionReporterFilter

from queueing.logging import struck


class DebugFilter(SafeExceptionReporterFilter):
    """Masks passwords inside URLs, as in ``QUEUEING["URL"]``, in addition to what Django masks."""

    def cleanse_setting(self, key: str, value: Any) -> Any:
        """The value to show. Django calls this for each key of each setting."""
        cleansed = super().cleanse_setting(key, value)
        return struck(str(cleansed)) if isinstance(cleansed, str) else cleansed
