"""The selection of staged messages that an action changes, as the parameters of a query string.

``database`` is an alias, and ``state`` a key of ``WORDS``. ``ids`` are primary keys, separated by commas.
Each parameter may be missing.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs

from django.db.models import QuerySet
from django.http import HttpRequest

from queueing.admin.long_actions import read_ids
from queueing.models import StagedMessage
from queueing.transactional.databases import relayed

from .columns import REFUSED, WORDS

NAMES = ("database", "state", "ids")


def alias_of(request: HttpRequest) -> str:
    """The alias of the database whose rows a page shows."""
    # Django hands the filters of the list to other pages.
    kept = parse_qs(request.GET.get("_changelist_filters", ""))
    return _alias_in({**{name: values[0] for name, values in kept.items()}, **request.GET.dict()})


def choice_of(request: HttpRequest, **ids: str) -> dict[str, str]:
    """The parameters that select the rows of a list or, with ``ids``, some of them."""
    found = {"database": alias_of(request)} if len(relayed()) > 1 else {}
    state = request.GET.get("state", "")
    return {**found, **({"state": state} if state in WORDS else {}), **ids}


def rows_of(choice: Mapping[str, str]) -> "QuerySet[StagedMessage]":
    """The selected rows, oldest first. If ``ids`` is given without a valid key, no row is selected."""
    rows = in_state(StagedMessage.objects.using(_alias_in(choice)).order_by("id"), choice.get("state"))
    return rows.filter(pk__in=read_ids(choice["ids"])) if "ids" in choice else rows


def in_state(rows: QuerySet, state: str | None) -> QuerySet:
    """The rows in one state, or all rows if the state is unknown."""
    return rows.filter(is_refused=state == REFUSED) if state in WORDS else rows


def _alias_in(params: Mapping[str, str]) -> str:
    """The alias in the parameter ``database``.

    If messages cannot be staged in that database, returns the default: the database in which the router
    places ``StagedMessage``.
    """
    named = params.get("database", "")
    return named if named in relayed() else str(StagedMessage.objects.db)
