"""The list of processed jobs: Django's own list, filled by a search that never counts or skips rows."""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from queueing.models import Job

from .criteria import Criteria
from .search import JobSearch, Place, searched_text

#: The parameter that says where a page begins, and the one that says where those before it did: only who
#: has been there knows, because a search may have ended a page when its time was up.
BEFORE, WAY = "before", "way"
#: The pages that can be gone back one by one, and the word for the first one, which begins at no place.
WAY_MAX, FIRST = 40, "0"


class JobList(ChangeList):
    """One page of the search, and what it says of itself.

    ``count`` is how many there are, ``None`` where only a search could tell; ``searched`` is how many
    rows were looked at then. ``older`` is the query string of what follows, ``newer`` of what came before.
    """

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Job]:
        """All rows: the search is made of the parameters in ``get_results``. Sets up the filters."""
        self.before = Place.read(request.GET.get(BEFORE, ""))
        self.way = [
            place for place in request.GET.get(WAY, "").split() if place == FIRST or Place.read(place)
        ]
        for name in (BEFORE, WAY):
            self.filter_params.pop(name, None)
            self.params.pop(name, None)
        self.filter_specs, self.has_filters, left, _, self.has_active_filters = self.get_filters(request)
        if left:
            raise IncorrectLookupParameters
        self.clear_all_filters_qs = self.get_query_string(
            remove=[name for spec in self.filter_specs for name in spec.expected_parameters()]
        )
        return self.root_queryset

    def get_results(self, request: HttpRequest) -> None:
        """Search one page."""
        self.criteria = Criteria.read(request.GET)
        search = JobSearch(self.criteria, self.root_queryset)
        found = search.find(self.before, limit=self.list_per_page)
        self.result_list = found.jobs
        self.searched, self.following = found.searched, found.following
        self.count = search.count()
        self.searched_text = searched_text(self.searched)
        self._satisfy_django()

    def _satisfy_django(self) -> None:
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(None, self.result_list, self.list_per_page)

    @property
    def older(self) -> str:
        """Where the next page is, empty where there is none."""
        if not self.following:
            return ""
        way = [*self.way, str(self.before or FIRST)][-WAY_MAX:]
        return self.get_query_string({BEFORE: str(self.following), WAY: " ".join(way)})

    @property
    def newer(self) -> str:
        """Where the page before this one is, empty where none is known."""
        if not (self.before and self.way):
            return ""
        *way, before = self.way
        known = {BEFORE: "" if before == FIRST else before, WAY: " ".join(way)}
        return self.get_query_string({name: value for name, value in known.items() if value})

    @property
    def newest(self) -> str:
        """Where the first page is."""
        return self.get_query_string()

    @property
    def whole_filter(self) -> str:
        """The query string of all that this list goes through."""
        return self.criteria.query_string()
