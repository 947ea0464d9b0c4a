"""The base class of all pages of the console: permissions, error pages, links and actions.

``ConsoleAdmin.urls`` guards every page of a model, also those that Django provides. If Redis or the database
is down, a page with the reason is shown instead of a traceback. Sessions are stored in the database, so while
it is down no user is known, and that page shows nothing else. It appears as soon as the driver gives up: set
its ``connect_timeout``.
"""

import logging
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, ClassVar

import django.contrib.admin.utils as admin_utils
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template import Context
from django.template.loader import get_template
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views import View

import queueing
from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable
from queueing.models import Queue
from queueing.monitoring import alerts
from queueing.resilience import bounded_view, database_guard

logger = logging.getLogger("queueing")

#: Seconds after which a program may ask again.
RETRY_SECONDS = 10


# --- addresses, on the admin site that asks: there may be several ----------------------------------


def address(site: AdminSite, page: str, *parts: str | int) -> str:
    """The URL of the page with this name, such as ``queue_change``.

    Raises ``NoReverseMatch`` if there is none.
    """
    quoted = [admin_utils.quote(part) for part in parts]
    return reverse(f"admin:queueing_{page}", args=quoted, current_app=site.name)


def queue_url(site: AdminSite, queue: str) -> str:
    """The URL of the page of a queue, ``""`` if there is no such page or a URL cannot contain the name."""
    return _url(site, "queue_change", queue)


def message_url(site: AdminSite, queue: str, id: str) -> str:
    """The URL of the page of a message in a queue, ``""`` if the site has no such page."""
    return _url(site, "queue_message", queue, id)


def jobs_url(site: AdminSite, id: str) -> str:
    """The URL of the jobs of a message, ``""`` if the site has no such page."""
    page = _url(site, "job_changelist") if id.isalnum() and id.isascii() else ""
    return f"{page}?q={id}" if page else ""


def _url(site: AdminSite, page: str, *parts: str) -> str:
    if not all(part and part.isprintable() for part in parts):
        return ""
    try:
        return address(site, page, *parts)
    except NoReverseMatch:
        return ""


# --- trouble ----------------------------------------------------------------------------------------


def trouble_of(error: QueueError) -> str:
    """The text of ``error`` without its full stop, ``""`` if the error is that Redis does not answer."""
    if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
        return ""
    return str(error).removesuffix(".")


def figures_or_trouble(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the context that ``read`` returns, or a context with only the error if Redis is down.

    For pages that refresh themselves: they show figures again once Redis is back.
    """
    try:
        return read()
    except QueueUnavailable as error:
        return {"unavailable": True, "trouble": trouble_of(error)}


def console_alerts(request: HttpRequest) -> list[alerts.Alert]:
    """The warnings that this user may see. Warnings about queues need the permission to view queues.

    Returns an empty list while Redis is down, so that a page does not fail because of its warnings.
    """
    try:
        found = alerts.current(queueing.get_client())
    except QueueError:
        return []
    if request.user.has_perm("queueing.view_queue") or request.user.has_perm("queueing.change_queue"):
        return found
    return [alert for alert in found if alert.kind != "unattended"]


class ConsoleAdmin(admin.ModelAdmin):
    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["queueing/times.js"])

    @property
    def urls(self) -> list[Any]:
        """The URL patterns of ``get_urls``, each with a guarded view."""
        urls: list[Any] = super().urls
        for pattern in urls:
            if isinstance(pattern, URLPattern):
                pattern.callback = guard(pattern.callback, self)
        return urls

    def page(
        self, route: str, view: Callable[..., HttpResponse], name: str, permission: str = ""
    ) -> URLPattern:
        """The URL pattern of ``view``, which requires ``permission``.

        A view without a permission only reads.
        """

        def allowed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not permission and request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "HEAD"])
            self.require(request, permission)
            return view(request, *args, **kwargs)

        model = self.opts.model_name
        return path(route, self.admin_site.admin_view(allowed), name=f"queueing_{model}_{name}")

    def may(self, request: HttpRequest, permission: str = "") -> bool:
        """Whether the user may view the model and has this permission."""
        if not self.has_view_permission(request):
            return False
        is_to_look = permission in ("", f"view_{self.opts.model_name}")
        return is_to_look or request.user.has_perm(f"{self.opts.app_label}.{permission}")

    def require(self, request: HttpRequest, permission: str = "") -> None:
        if not self.may(request, permission):
            raise PermissionDenied

    def sees_queues(self, request: HttpRequest) -> bool:
        """Whether this site has pages of queues, and this user may view them."""
        queue_admin = self.admin_site._registry.get(Queue)
        return queue_admin is not None and queue_admin.has_view_permission(request)

    @property
    def list_url(self) -> str:
        return address(self.admin_site, f"{self.opts.model_name}_changelist")

    def url_after(self, request: HttpRequest) -> str:
        """The URL to which the user returns after a refused change."""
        return self.list_url

    def trouble(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The response to a request in which the queue raised ``error``."""
        if request.method == "POST" and not isinstance(error, QueueUnavailable):
            said = _("Nothing was changed: %s.") % str(error).removesuffix(".")
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(self.url_after(request))
        logger.warning("a page of the admin cannot be shown: %s", error)
        return self.trouble_page(request, error)

    def trouble_page(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The page that gives the reason why Redis cannot be read. The user may view the model."""
        self.require(request)
        context = {
            "unavailable": True,
            "trouble": trouble_of(error),
            "is_away": isinstance(error, QueueUnavailable),
            "posted": request.method == "POST",
        }
        if context["is_away"] and self.page_name(request) == "live":
            return TemplateResponse(request, "admin/queueing/live/unavailable.html", context)
        return self.render(request, "admin/queueing/refused.html", _("Redis cannot be read"), context)

    def page_name(self, request: HttpRequest) -> str:
        """The last word of the name of the requested page, such as ``changelist``."""
        match = request.resolver_match
        return str(match.url_name).rpartition("_")[2] if match else ""

    def render(
        self, request: HttpRequest, template: str, title: Any, context: dict[str, Any], **options: Any
    ) -> HttpResponse:
        """A page of the admin about the model."""
        common = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, template, common | context, **options)


def guard(view: Callable[..., HttpResponse], model_admin: ConsoleAdmin) -> Callable[..., HttpResponse]:
    """Wrap ``view``: if Redis or the database is down, the response is a page with the reason.

    The wrapper also renders the template, so that errors in the rendering are caught.
    """

    @bounded_view
    def rendered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # The links of its templates stay on this site.
        request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
        try:
            return _rendered(view(request, *args, **kwargs))
        except QueueError as error:
            return _rendered(model_admin.trouble(request, error))

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with database_guard():
                return rendered(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if "no such " in str(error):  # SQLite reports a missing table so, and does answer
                raise
            logger.warning("the database does not answer a page of the admin: %s", type(error).__name__)
            return _database_away(model_admin.admin_site)

    return guarded


def _rendered(response: HttpResponse) -> HttpResponse:
    """Render ``response`` inside the guard, because its template may query the database and Redis."""
    return response.render() if hasattr(response, "render") else response


def _database_away(site: AdminSite) -> HttpResponse:
    """The page about a database that is down, rendered without the request.

    The user and the messages of the request would need the database.
    """
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


# --- actions ----------------------------------------------------------------------------------------


class Action(View):
    """The base class of an action of the console. Each action has a URL.

    ``ConsoleAdmin.page`` checks the permission, and the guard turns errors of the queue into error pages. The
    admin's log records the result with the object ``subject``. The page ``back_url`` shows it.
    """

    #: The last part of its address.
    name: ClassVar[str]
    #: The codename of its permission; the one to view the page is needed, too.
    permission: ClassVar[str]
    #: Its name where it is offered, and on its button.
    label: ClassVar[Any]
    #: Whether its button is one of those that destroy.
    destroys: ClassVar[bool] = False
    http_method_names = ("get", "head", "post", "options")
    model_admin: Any = None

    @property
    def subject(self) -> Any:
        """The object that an entry of the admin's log is about."""
        raise NotImplementedError

    @property
    def back_url(self) -> str:
        """The URL to which the action redirects when it is done."""
        return self.model_admin.list_url

    def render(self, template: str, context: dict[str, Any], **options: Any) -> HttpResponse:
        context = {"action": self, "back_url": self.back_url, **context}
        return self.model_admin.render(self.request, template, capfirst(self.label), context, **options)

    def log(self, said: str, entry: int | None = None) -> int:
        """Write ``said`` into the admin's log, as a new entry or over the existing one with the key
        ``entry``.

        Returns the key of the entry.
        """
        if entry is None:
            return self.model_admin.log_change(self.request, self.subject, said).pk
        LogEntry.objects.filter(pk=entry).update(change_message=said)
        return entry

    def leave(self, said: str, level: int) -> HttpResponse:
        """Redirect to ``back_url``, which shows the message ``said``."""
        self.model_admin.message_user(self.request, said, level)
        return HttpResponseRedirect(self.back_url)

    def done(self, said: str) -> HttpResponse:
        """Log the action, and redirect to ``back_url``, which shows ``said``."""
        self.log(said)
        return self.leave(said, messages.SUCCESS)

    def refused(self, why: str) -> HttpResponse:
        """Redirect to ``back_url``, which shows why nothing was changed."""
        return self.leave(why, messages.ERROR)
