"""Times in the viewer's zone, which the page's script tells in a cookie."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "queueing_zone"


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def viewers_zone(request: HttpRequest) -> ZoneInfo | None:
    """The zone of the cookie, ``None`` where it names none."""
    name = request.COOKIES.get(COOKIE, "")
    return ZoneInfo(name) if name in _known_zones() else None


def in_viewers_zone(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, answering with times in the viewer's zone, or in the one that is set."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        zone = viewers_zone(request)
        if zone is None:
            return view(request, *args, **kwargs)
        with timezone.override(zone):
            response = view(request, *args, **kwargs)
            # A template would otherwise be rendered when the zone is forgotten.
            return response.render() if hasattr(response, "render") else response

    return answer
