"""The tasks' test settings with two databases. ``TEST_DATABASES`` sets the use of the second one."""

import os
from typing import Any

from tests.unit.tasks.settings import *  # noqa: F403
from tests.unit.tasks.settings import DATABASES as SITE_DATABASES

CASE = os.environ["TEST_DATABASES"]
FIRST = SITE_DATABASES["default"]
SECOND = {**FIRST, "NAME": f"{FIRST['NAME']}.second"}

DATABASES = {"default": {} if CASE == "no default" else FIRST, "second": SECOND}
DATABASE_ROUTERS = ["tests.faults.many_databases.Router"]


class Router:
    """``replica``: reads go to a second database that lags. ``elsewhere``: the second database has the
    history.
    """

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "second" if CASE == "replica" else self.db_for_write(model)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        is_history = model._meta.app_label == "queueing"
        return "second" if CASE == "no default" or (CASE == "elsewhere" and is_history) else "default"

    def allow_relation(self, *models: Any, **hints: Any) -> bool:
        return True
