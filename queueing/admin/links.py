"""Addresses of other pages of the console; empty where a foreign name cannot stand in one."""

import django.contrib.admin.utils as admin_utils
from django.urls import NoReverseMatch, reverse


def queue_url(queue: str) -> str:
    """The page of a queue."""
    return _url("queueing_queue_change", queue)


def message_url(queue: str, id: str) -> str:
    """The page of a message that is in a queue."""
    return _url("queueing_queue_message", queue, id)


def jobs_url(id: str) -> str:
    """What was recorded of a message."""
    page = reverse("admin:queueing_job_changelist")
    return f"{page}?q={id}" if id.isalnum() and id.isascii() else ""


def _url(name: str, *parts: str) -> str:
    if not all(part and part.isprintable() for part in parts):
        return ""
    try:
        return reverse(f"admin:{name}", args=[admin_utils.quote(part) for part in parts])
    except NoReverseMatch:
        return ""
