"""The base of admin pages that list read-only rows of the database and offer actions on many rows."""

from collections.abc import Container, Mapping
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.models import DELETION
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from .base import ReadOnlyAdmin, address
from .long_actions import IDS_MAX, RowsAction


def in_menu(verb: type[RowsAction]) -> Any:
    """An entry for the admin's menu of actions.

    The entry opens the confirmation page of the action ``verb`` for the selected rows.
    """

    @admin.action(description=verb.label, permissions=[verb.name])
    def ask(model_admin: Any, request: HttpRequest, queryset: Any) -> HttpResponse:
        ids = ",".join(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:IDS_MAX])
        return HttpResponseRedirect(model_admin.verb_url(verb.name, model_admin.selection(request, ids)))

    # This action replaces Django's own deletion, which reads all rows without a limit.
    ask.__name__ = "delete_selected" if verb.flag == DELETION else verb.name
    return ask


class TableAdmin(ReadOnlyAdmin):
    """The admin of a read-only model. ``verbs`` are its actions by name, each with its own permission."""

    verbs: ClassVar[Mapping[str, type[RowsAction]]]
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for verb in self.verbs.values():
            if not hasattr(self, name := f"has_{verb.name}_permission"):
                setattr(self, name, partial(self.may, permission=verb.permission))

    def selection(self, request: HttpRequest, ids: str) -> dict[str, str]:
        """The query parameters for ``verb_url`` that select the rows ``ids`` (separated by commas)."""
        return {"ids": ids}

    def get_urls(self) -> list[Any]:
        view = f"view_{self.opts.model_name}"
        return [self.page("all/<slug:verb>/", self.verb_view, "verb", view), *super().get_urls()]

    def verb_url(self, verb: str, params: Mapping[str, str]) -> str:
        """The URL of the confirmation page of the action ``verb`` for the rows that ``params`` select."""
        url = address(self.admin_site, f"{self.opts.model_name}_verb", verb)
        return f"{url}?{urlencode(params)}"

    def verb_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """For GET, show the confirmation page of the action ``verb``. For POST, run a step of the action."""
        if verb not in self.verbs:
            raise Http404
        self.require(request, self.verbs[verb].permission)
        return self.verbs[verb].as_view(model_admin=self)(request)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect Django's page for a deletion to the console's own confirmation page."""
        verb = next(verb for verb in self.verbs.values() if verb.flag == DELETION)
        return HttpResponseRedirect(self.verb_url(verb.name, self.selection(request, unquote(object_id))))

    def offered(
        self, request: HttpRequest, params: Mapping[str, str], names: Container[str] | None = None
    ) -> list[tuple[Any, str]]:
        """The labels and URLs of the actions that this user may run on the rows that ``params`` select.

        If ``names`` is given, only the actions with these names are included.
        """
        return [
            (verb.label, self.verb_url(verb.name, params))
            for verb in self.verbs.values()
            if (names is None or verb.name in names) and self.may(request, verb.permission)
        ]
