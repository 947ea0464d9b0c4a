"""The selection of staged messages that an action changes, read from a query string."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from django.db.models import QuerySet
from django.http import HttpRequest

from queueing.admin.long_actions import read_ids
from queueing.models import StagedMessage
from queueing.transactional.databases import relayed

from .columns import REFUSED, WORDS


def alias_in(params: Mapping[str, str]) -> str:
    """The alias in the parameter ``database``.

    If messages cannot be staged in that database, returns the default: the database in which the router
    places ``StagedMessage``.
    """
    named = params.get("database", "")
    return named if named in relayed() else str(StagedMessage.objects.db)


def alias_of(request: HttpRequest) -> str:
    # Django hands the filters of the list to other pages.
    kept = parse_qs(request.GET.get("_changelist_filters", ""))
    return alias_in({**{name: values[0] for name, values in kept.items()}, **request.GET.dict()})


@dataclass(frozen=True, slots=True)
class Choice:
    """A selection of rows in one database.

    An empty ``state`` selects rows of all states. If ``ids`` is not ``None``, only rows with these primary
    keys are selected.
    """

    database: str
    state: str = ""
    ids: tuple[int, ...] | None = None

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "Choice":
        """Read the choice from the parameters of a query string.

        An unknown state selects rows of all states. If ``ids`` is given without a valid key, no row is
        selected.
        """
        state = params.get("state", "")
        ids = params.get("ids")
        return cls(
            database=alias_in(params),
            state=state if state in WORDS else "",
            ids=None if ids is None else read_ids(ids),
        )

    def params(self, *, with_ids: bool = True) -> dict[str, str]:
        found = {"database": self.database if len(relayed()) > 1 else "", "state": self.state}
        if with_ids and self.ids is not None:
            found["ids"] = ",".join(map(str, self.ids))
        return {name: text for name, text in found.items() if text or name == "ids"}

    def rows(self) -> "QuerySet[StagedMessage]":
        found = StagedMessage.objects.using(self.database).order_by("id")
        if self.state:
            found = found.filter(is_refused=self.state == REFUSED)
        return found if self.ids is None else found.filter(pk__in=self.ids)
