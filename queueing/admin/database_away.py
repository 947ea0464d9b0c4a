"""What the console answers while the database is away: a page that says so, instead of a traceback.

Who asks cannot be known then, because sessions lie in the same database; so the page shows nothing
but that. The answer comes as soon as the driver gives up: set its ``connect_timeout``.
"""

import logging
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import Context
from django.template.loader import get_template
from django.urls import URLPattern

from .. import silence
from ..patience import patient

logger = logging.getLogger("queueing")

#: Seconds after which a program may ask again.
RETRY_SECONDS = 10


class AnswersWithoutDatabase(admin.ModelAdmin):
    """Every page of the model answers 503 while the database does not answer."""

    @property
    def urls(self) -> list[Any]:
        """The pages of ``get_urls``, each guarded."""
        return [_guarded(pattern, self.admin_site) for pattern in super().urls]


def _guarded(pattern: Any, site: admin.AdminSite) -> Any:
    if isinstance(pattern, URLPattern):
        pattern.callback = guard(pattern.callback, site)
    return pattern


def guard(view: Callable[..., HttpResponse], site: admin.AdminSite) -> Callable[..., HttpResponse]:
    """``view``, with the page in its place where the database is away; the page is rendered within."""

    @patient
    def rendered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.current_app = site.name  # the links of its templates stay on this site
        response = view(request, *args, **kwargs)
        # Templates ask the database, too.
        return response.render() if hasattr(response, "render") else response

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with silence.heeded():
                return rendered(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if "no such " in str(error):  # SQLite's word for a missing table: it does answer
                raise
            logger.warning("the database does not answer a page of the admin: %s", type(error).__name__)
            return _away(site)

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
