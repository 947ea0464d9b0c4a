"""The metrics, from an answer of ``/metrics`` about a queue in memory."""

import re
from unittest.mock import patch

from . import text

#: The labels of a family without samples in a namespace as small as this one.
LABEL = re.compile(r'(\w+)="')


def table() -> str:
    """One row for each family."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), f"{help.rstrip('.')}.")
        for name, kind, labels, help in families()
    ]
    return text.table(("metric", "type", "labels", "meaning"), rows)


def families() -> list[tuple[str, str, list[str], str]]:
    """Name, type, labels and help of each family that a scrape shows."""
    found: dict[str, list] = {}
    for line in _scrape().splitlines():
        word, _, rest = line.removeprefix("# ").partition(" ")
        name, _, said = rest.partition(" ")
        if line.startswith("# HELP"):
            found[name] = [name, "", [], said]
        elif line.startswith("# TYPE"):
            found[name][1] = said
        else:
            # A sample of a histogram has an ending behind the name of its family.
            family = next(one for one in sorted(found, key=len, reverse=True) if word.startswith(one))
            labels = found[family][2]
            labels += [label for label in LABEL.findall(line) if label not in labels and label != "le"]
    return [tuple(one) for one in found.values()]  # type: ignore[misc]


def _scrape() -> str:
    from django.test import Client, override_settings

    from queueing.handlers import handler
    from queueing.testing import fake_queues, run_pending
    from queueing.transactional.backlog import Figures

    settings = {"METRICS_TOKEN": "x", "RELAY_DATABASES": ["default"]}
    with (
        fake_queues() as client,
        patch("queueing.transactional.backlog.figures", return_value=Figures(1, 1, 1.0)),
        override_settings(QUEUEING=settings, ALLOWED_HOSTS=["*"]),
    ):
        client.create_queue("metrics-of-the-docs")
        client.send_message("metrics-of-the-docs", "x")
        handler("metrics-of-the-docs")(lambda message: None)
        run_pending("metrics-of-the-docs")
        _spoil(client)
        answer = Client().get("/metrics", headers={"Authorization": "Bearer x"})
        assert answer.status_code == 200, answer.content
        return answer.content.decode()


def _spoil(client: object) -> None:
    """A key of a wrong type, so that the family about it has a sample with its label."""
    client.redis.set("rsmq::schedules", "x")  # type: ignore[attr-defined]
