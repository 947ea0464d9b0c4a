"""The base class of all pages of the console: permissions, error pages, links and actions.

``ConsoleAdmin.urls`` guards every page of a model, including the pages that Django provides. If Redis or the
database is down, the user sees a page with the reason instead of a traceback.

While the database is down, the user cannot be identified, because Django stores users and sessions in it. The
page then shows only the reason. The user sees this page when the database driver gives up, so set the
``connect_timeout`` of the driver.
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

#: Seconds after which a program may repeat its request (``Retry-After``).
RETRY_SECONDS = 10


# --- addresses, on the admin site that asks: there may be several ----------------------------------


def address(site: AdminSite, page: str, *parts: str | int) -> str:
    """The URL of the page with the name ``page``, such as ``queue_change``.

    Raises ``NoReverseMatch`` if the site has no such page.
    """
    quoted = [admin_utils.quote(part) for part in parts]
    return reverse(f"admin:queueing_{page}", args=quoted, current_app=site.name)


def queue_url(site: AdminSite, queue: str) -> str:
    """The URL of the page of a queue.

    Returns ``""`` if the site has no such page, or if a URL cannot contain the name of the queue.
    """
    return _url(site, "queue_change", queue)


def message_url(site: AdminSite, queue: str, id: str) -> str:
    """The URL of the page of a message in a queue.

    Returns ``""`` if the site has no such page, or if a URL cannot contain the name of the queue or the id.
    """
    return _url(site, "queue_message", queue, id)


def jobs_url(site: AdminSite, id: str) -> str:
    """The URL of the list of jobs, searched for a message id.

    Returns ``""`` if the site has no such page, or if ``id`` has other characters than ASCII letters and
    digits.
    """
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
    """The text of ``error`` without its final full stop.

    Returns ``""`` if Redis did not answer, because the pages have their own sentence for that case. If there
    are several partitions, the text names the one that did not answer.
    """
    if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
        return _("The partition %s does not answer") % error.partition if error.partition else ""
    return str(error).removesuffix(".")


def figures_or_trouble(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the template context that ``read()`` returns or, if Redis is down, a context with the error.

    Pages that refresh themselves use this function: they show figures again as soon as Redis is back.
    """
    try:
        return read()
    except QueueUnavailable as error:
        return {"unavailable": True, "trouble": trouble_of(error)}


def console_alerts(request: HttpRequest) -> list[alerts.Alert]:
    """The warnings that this user may see.

    Warnings about queues without a worker need the permission to view queues. Returns an empty list if Redis
    is down, so that a page does not fail because of its warnings.
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
        """The URL patterns of ``get_urls``. Each view is wrapped by ``guard``."""
        urls: list[Any] = super().urls
        for pattern in urls:
            if isinstance(pattern, URLPattern):
                pattern.callback = guard(pattern.callback, self)
        return urls

    def page(
        self, route: str, view: Callable[..., HttpResponse], name: str, permission: str = ""
    ) -> URLPattern:
        """The URL pattern of ``view``, for users who may view the model and have ``permission``.

        Without ``permission``, the page is read-only: users who may view the model can send GET and HEAD.
        """

        def allowed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not permission and request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "HEAD"])
            self.require(request, permission)
            return view(request, *args, **kwargs)

        model = self.opts.model_name
        return path(route, self.admin_site.admin_view(allowed), name=f"queueing_{model}_{name}")

    def may(self, request: HttpRequest, permission: str = "") -> bool:
        """Whether the user may view the model and also has ``permission``, if one is given."""
        if not self.has_view_permission(request):
            return False
        is_to_look = permission in ("", f"view_{self.opts.model_name}")
        return is_to_look or request.user.has_perm(f"{self.opts.app_label}.{permission}")

    def require(self, request: HttpRequest, permission: str = "") -> None:
        if not self.may(request, permission):
            raise PermissionDenied

    def sees_queues(self, request: HttpRequest) -> bool:
        """Whether this site has pages of queues and this user may view them."""
        queue_admin = self.admin_site._registry.get(Queue)
        return queue_admin is not None and queue_admin.has_view_permission(request)

    @property
    def list_url(self) -> str:
        return address(self.admin_site, f"{self.opts.model_name}_changelist")

    def url_after(self, request: HttpRequest) -> str:
        """The URL to which the user is redirected after a refused change."""
        return self.list_url

    def trouble(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The response to a request that failed with ``error``."""
        if request.method == "POST" and not isinstance(error, QueueUnavailable):
            said = _("Nothing was changed: %s.") % str(error).removesuffix(".")
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(self.url_after(request))
        logger.warning("a page of the admin cannot be shown: %s", error)
        return self.trouble_page(request, error)

    def trouble_page(self, request: HttpRequest, error: QueueError) -> HttpResponse:
        """The page with the reason why Redis cannot be read.

        Raises ``PermissionDenied`` if the user may not view the model.
        """
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
        """Render ``template`` as a page of the admin for this model."""
        common = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, template, common | context, **options)


class ReadOnlyAdmin(ConsoleAdmin):
    """The admin of rows without a form. Users who may change the model in Django's sense may view them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def guard(view: Callable[..., HttpResponse], model_admin: ConsoleAdmin) -> Callable[..., HttpResponse]:
    """Wrap ``view``. If Redis or the database is down, the response is a page with the reason.

    The wrapper also renders the template, so that it catches errors during the rendering.
    """

    @bounded_view
    def rendered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # A project may have several admin sites. This makes the links on the page lead to the page's own
        # site.
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
            return _database_away(model_admin.admin_site, posted=request.method == "POST")

    return guarded


def _rendered(response: HttpResponse) -> HttpResponse:
    """Render ``response`` before ``guard`` returns it: its template may query the database and Redis."""
    return response.render() if hasattr(response, "render") else response


def _database_away(site: AdminSite, *, posted: bool) -> HttpResponse:
    """The page which reports that the database is down, perhaps after an action has begun.

    It is rendered without the request, because the user and the messages of a request are in the database.
    """
    context = {
        "site_title": site.site_title,
        "site_header": site.site_header,
        "is_nav_sidebar_enabled": False,
        "posted": posted,
    }
    inner = Context(context)
    inner.request = SimpleNamespace(current_app=site.name)  # all that {% url %} asks of a request
    text = get_template("admin/queueing/database_away.html").template.render(inner)
    return HttpResponse(text, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


# --- actions ----------------------------------------------------------------------------------------


class Action(View):
    """The base class of an action of the console. Each action has its own URL.

    ``ConsoleAdmin.page`` checks the permission, and ``guard`` turns errors of the queue into error pages. The
    result is recorded in the admin's log as an entry about ``subject``, and is shown on the page
    ``back_url``.
    """

    #: The last part of the action's URL.
    name: ClassVar[str]
    #: The codename of the permission to run the action. The user also needs the permission to view the page.
    permission: ClassVar[str]
    #: The action's name in menus and on buttons.
    label: ClassVar[Any]
    #: Whether the action destroys something. Its button then looks different.
    destroys: ClassVar[bool] = False
    http_method_names = ("get", "head", "post", "options")
    model_admin: Any = None

    @property
    def subject(self) -> Any:
        """The object to which the action's entries in the admin's log refer."""
        raise NotImplementedError

    @property
    def back_url(self) -> str:
        """The URL to which the action redirects when it is done."""
        return self.model_admin.list_url

    def render(self, template: str, context: dict[str, Any], **options: Any) -> HttpResponse:
        context = {"action": self, "back_url": self.back_url, **context}
        return self.model_admin.render(self.request, template, capfirst(self.label), context, **options)

    def log(self, said: str, entry: int | None = None) -> int:
        """Write ``said`` into the admin's log. Returns the primary key of the log entry.

        With ``entry``, the existing entry with this primary key is overwritten.
        """
        if entry is None:
            return self.model_admin.log_change(self.request, self.subject, said).pk
        LogEntry.objects.filter(pk=entry).update(change_message=said)
        return entry

    def leave(self, said: str, level: int) -> HttpResponse:
        """Redirect to ``back_url``, and show the message ``said`` there."""
        self.model_admin.message_user(self.request, said, level)
        return HttpResponseRedirect(self.back_url)

    def done(self, said: str) -> HttpResponse:
        """Log the action, redirect to ``back_url``, and show the message ``said`` there."""
        self.log(said)
        return self.leave(said, messages.SUCCESS)

    def refused(self, why: str) -> HttpResponse:
        """Redirect to ``back_url``, and show there why nothing was changed."""
        return self.leave(why, messages.ERROR)
