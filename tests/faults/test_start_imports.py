"""A worker starts with what its jobs need: the website is neither imported nor checked."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.worker_process import WorkerProcess

CHECKS = """
from django.core.checks import Error, Tags, register


def fails(**_):
    return [Error("The key of the payment service is missing.", id="shop.E001")]


register(fails{tags})
"""


def test_a_worker_imports_neither_pages_nor_urls(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("ledger")
    message_id = client.send_message("ledger", "one")
    burst = worker("ledger", "--burst")
    burst.args[1:1] = ["-X", "importtime"]
    assert burst.run() == 0, burst.tail()
    ledger.assert_each_ran_once([message_id])
    imported = {found[1] for line in burst.lines if (found := re.match(r"import time: .*\| +(\S+)$", line))}
    assert "queueing.worker.consumer" in imported
    # The system's look-up of a host needs it in each process, which shares it.
    assert len([line for line in burst.lines if line.endswith(" encodings.idna")]) == 1
    unused = (r"admin\.\w+", "cli", "views", "templatetags", r"monitoring\.(charts|alerts)")
    pattern = rf"queueing\.({'|'.join(unused)})\b|mqsite\.urls\b|jobs\.views\b"
    assert not [name for name in imported if re.match(pattern, name)]


@pytest.mark.parametrize(
    ("tags", "starts"),
    [
        ("", False),
        (", Tags.caches", False),
        (", 'shop'", False),
        (", Tags.urls", True),
        (", 'shop', Tags.security", True),
    ],
)
def test_a_worker_runs_the_checks_of_the_project_but_not_those_of_its_website(
    worker: Callable[..., WorkerProcess], tmp_path: Path, tags: str, starts: bool
):
    package = tmp_path / "shop_of_checks"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(CHECKS.format(tags=tags))
    burst = worker("ledger", "--burst", env={"TEST_APPS": package.name, "PYTHONPATH": str(tmp_path)})
    assert burst.run() == (0 if starts else 1), burst.tail()
    assert starts != any("shop.E001" in line for line in burst.lines)


def test_a_worker_asks_no_database_for_its_system_checks(worker: Callable[..., WorkerProcess]):
    burst = worker("ledger", "--burst")
    burst.args[1:1] = ["-X", "importtime"]
    assert burst.run() == 0, burst.tail()
    assert not [line for line in burst.lines if "queueing.migrations" in line]
