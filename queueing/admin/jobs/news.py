"""What open pages of the history ask for: whether more was processed since they were read.

The newest moments are read at most once a second for all who look, from an index that holds them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.utils.translation import ngettext

from queueing.admin.base import address
from queueing.broker import rsmq_values
from queueing.models import Job
from queueing.resilience.single_flight import Shared

#: From so many on they are not counted any more.
COUNTED_MAX = 100
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _newest(count: int) -> list[int]:
    """When the newest jobs were finished, in microseconds: a number that an address can hold."""
    newest = Job.objects.order_by("-finished_at", "-id").values_list("finished_at", flat=True)
    return [(at - EPOCH) // MICROSECOND for at in newest[:count]]


shared: Shared[int, list[int]] = Shared(_newest, most=1)


def live_url(site: AdminSite) -> str:
    """Where a page that is read now asks what came after."""
    since = next(iter(_newest(1)), 0)
    return f"{address(site, 'job_live')}?{urlencode({'since': since})}"


def news(since: str) -> dict[str, Any]:
    """What came after ``since``, for the template: the age of the knowledge, and a sentence or none."""
    reading = shared.get(COUNTED_MAX + 1)
    count = sum(finished > (rsmq_values.parse_int(since) or 0) for finished in reading.value)
    return {"age_seconds": reading.age_seconds, "news": _sentence(count) if count else ""}


def _sentence(count: int) -> str:
    number = f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count)
    return ngettext("%s job was processed since.", "%s jobs were processed since.", count) % number
