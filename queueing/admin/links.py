"""Addresses of the console's pages on the admin site that asks: there may be several."""

import django.contrib.admin.utils as admin_utils
from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse


def address(site: AdminSite, page: str, *parts: str | int) -> str:
    """The page of that name, such as ``queue_change``. Raises ``NoReverseMatch`` if the site has none."""
    quoted = [admin_utils.quote(part) for part in parts]
    return reverse(f"admin:queueing_{page}", args=quoted, current_app=site.name)


def queue_url(site: AdminSite, queue: str) -> str:
    """The page of a queue; empty if the site has none, or a foreign name cannot stand in an address."""
    return _url(site, "queue_change", queue)


def message_url(site: AdminSite, queue: str, id: str) -> str:
    """The page of a message that is in a queue, or empty."""
    return _url(site, "queue_message", queue, id)


def jobs_url(site: AdminSite, id: str) -> str:
    """The list of what was recorded of a message, or empty."""
    page = _url(site, "job_changelist") if id.isalnum() and id.isascii() else ""
    return f"{page}?q={id}" if page else ""


def _url(site: AdminSite, page: str, *parts: str) -> str:
    if not all(part and part.isprintable() for part in parts):
        return ""
    try:
        return address(site, page, *parts)
    except NoReverseMatch:
        return ""
