"""The system checks. The code has their ids; this file has the meaning of each."""

import re
from pathlib import Path

import queueing

from . import text

MEANINGS = {
    "queueing.E001": "`QUEUEING` is not a dict, or has a name that is not a setting.",
    "queueing.E002": "A number is of a wrong type or out of its bounds.",
    "queueing.E003": 'A name in the `QUEUES`, `HISTORY` or `LIMITS` of `QUEUEING` is not a name of a queue.',
    "queueing.E004": 'A name in `QUEUEING["QUEUES"]` ends in `-dead`, as dead-letter queues do.',
    "queueing.E005": '`QUEUEING["URL"]` is not the address of a Redis.',
    "queueing.E006": "The address is that of a cluster, and the namespace has no part in braces.",
    "queueing.E007": "A setting is not one of the words that it may be.",
    "queueing.E008": "A setting has a wrong type.",
    "queueing.E010": "An option of the backend in `TASKS` is unknown or has a wrong value.",
    "queueing.E011": 'A name in the `QUEUES` of `TASKS` is not a name for a queue of tasks.',
    "queueing.E012": "`TASKS` names the backend, and Django's tasks cannot be imported.",
    "queueing.E013": "`QUEUES` in `TASKS` is a text and not a list.",
    "queueing.E014": 'A limit in `QUEUEING["LIMITS"]` is wrong.',
    "queueing.E016": '`QUEUEING["RELAY_DATABASES"]` names a database that is not in `DATABASES`.',
    "queueing.E017": '`QUEUEING["PARTITIONS"]` is wrong, or two partitions are the same.',
    "queueing.E018": '`QUEUEING["PLACES"]` has a wrong name, or names a partition that does not exist.',
    "queueing.E019": "`TIME_ZONE` is empty. Django starts without it, and fails at the first local time.",
    "queueing.E030": "A `@periodic` cannot be used. Run it with `manage.py check --tag schedules`.",
    "queueing.W001": "Another app has a command `runworker`. Start the worker with `manage.py queues work`.",
    "queueing.W002": "The tables of the history differ from those of the migrations. "
    "Run it with `manage.py check --database default`.",
    "queueing.W003": "A database of `RELAY_DATABASES` has no table for staged messages. "
    "Run it with `manage.py check --database ALIAS`.",
    "queueing.W004": "A setting may be a misspelt `QUEUEING`. Without `QUEUEING` the defaults apply.",
    "queueing.W005": "An entry of `TASKS` has a key that is not read, such as a misspelt `OPTIONS`.",
    "queueing.I001": '`QUEUEING["METRICS_TOKEN"]` is set, and `/metrics` needs prometheus-client.',
}  # fmt: skip


def table() -> str:
    """One row for each check of the code."""
    rows = [(f"`{id}`", MEANINGS.get(id, "")) for id in ids()]
    return text.table(("id", "meaning"), rows)


def ids() -> list[str]:
    """The ids in the code, errors before warnings."""
    sources = Path(queueing.__file__).parent.rglob("*.py")
    return sorted({id for path in sources for id in re.findall(r"queueing\.[EWI]\d{3}", path.read_text())})
