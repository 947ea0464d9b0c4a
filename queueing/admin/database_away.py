"""The guard of all pages of the console: trouble with the database or with Redis is a page, not a traceback.

While the database is away nobody can be recognised, because sessions are stored in it; so that page shows
nothing else. The answer comes as soon as the driver gives up: set its ``connect_timeout``.
"""

import logging
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import Context
from django.template.loader import get_template
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable
from queueing.resilience import bounded_view, database_guard

logger = logging.getLogger("queueing")

#: Seconds after which a program may ask again.
RETRY_SECONDS = 10


def unavailable(error: QueueUnavailable) -> dict[str, Any]:
    """The context of a page without figures. A refusal has a sentence; silence has none."""
    trouble = str(error).removesuffix(".") if isinstance(error, QueueRefused) else ""
    return {"unavailable": True, "trouble": trouble}


class AnswersWithoutDatabase(admin.ModelAdmin):
    """Every page of the model answers, also if the database is away or Redis refuses to show its part."""

    @property
    def urls(self) -> list[Any]:
        """The pages of ``get_urls``, each guarded."""
        return [_guarded(pattern, self) for pattern in super().urls]

    def refused(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The page that stands in for one that cannot be read from Redis, for those who may look."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        logger.warning("a page of the admin cannot be shown: %s", error)
        request.current_app = self.admin_site.name
        is_away = isinstance(error, QueueUnavailable)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Redis cannot be read"),
            "opts": self.opts,
            "unavailable": True,
            "trouble": str(error).removesuffix("."),
            **(unavailable(error) if is_away else {}),
            "is_away": is_away,
            "posted": request.method == "POST",
        }
        return TemplateResponse(request, "admin/queueing/refused.html", context)


def _guarded(pattern: Any, model_admin: AnswersWithoutDatabase) -> Any:
    if isinstance(pattern, URLPattern):
        pattern.callback = guard(pattern.callback, model_admin)
    return pattern


def guard(
    view: Callable[..., HttpResponse], model_admin: AnswersWithoutDatabase
) -> Callable[..., HttpResponse]:
    """``view`` with a page in its place if it cannot be shown; the page is rendered within."""

    @bounded_view
    def rendered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # The links of its templates stay on this site.
        request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
        try:
            response = view(request, *args, **kwargs)
            # Templates ask the database and Redis, too.
            return response.render() if hasattr(response, "render") else response
        except QueueError as error:
            return model_admin.refused(request, error).render()  # type: ignore[attr-defined]

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with database_guard():
                return rendered(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if "no such " in str(error):  # SQLite's word for a missing table: it does answer
                raise
            logger.warning("the database does not answer a page of the admin: %s", type(error).__name__)
            return _away(model_admin.admin_site)

    return guarded


def _away(site: admin.AdminSite) -> HttpResponse:
    """Rendered without the request: what it brings along (user, messages) would ask the database."""
    context = {
        "site_title": site.site_title,
        "site_header": site.site_header,
        "is_nav_sidebar_enabled": False,
    }
    template = get_template("admin/queueing/database_away.html").template
    inner = Context(context)
    inner.request = SimpleNamespace(current_app=site.name)  # all that {% url %} asks of a request
    text = template.render(inner)
    return HttpResponse(text, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
