"""Hides passwords in the settings that Django's debug page shows."""

from typing import Any

from django.views.debug import SafeExceptionReporterFilter

from queueing.logging import struck


class DebugFilter(SafeExceptionReporterFilter):
    """Masks passwords inside URLs, as in ``QUEUEING["URL"]``, in addition to what Django masks."""

    def cleanse_setting(self, key: str, value: Any) -> Any:
        """Return the value to show. Django calls this method for each setting, and for each key of a dict."""
        cleansed = super().cleanse_setting(key, value)
        return struck(str(cleansed)) if isinstance(cleansed, str) else cleansed
