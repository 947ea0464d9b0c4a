"""The jobs of ``common.py`` as tasks of Django."""

import common
from django.tasks import task

noop, nap = task(common.stamp), task(common.nap)
JOBS = {"noop": noop, "nap": nap}
