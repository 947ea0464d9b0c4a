"""Every public name has an entry in the reference."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache

import pytest

from docs.generate import PARTS, api, checks, commands, keys, metrics, permissions, settings, signals
from docs.hooks import PART
from tests.docs.blocks import ROOT, pages

#: Prints the variables that the settings of the site ask for.
VARIABLES = """
import json, os
class Asked(dict):
    names = set()
    def get(self, name, default=None):
        self.names.add(name)
        return super().get(name, default)
os.environ = Asked(os.environ)
import mqsite.settings
print(json.dumps(sorted(Asked.names)))
"""


@cache
def reference() -> str:
    """The pages of the reference with their generated parts."""
    texts = [page.read_text(encoding="utf-8") for page in pages() if "docs" in page.parts]
    return PART.sub(lambda found: PARTS[found[1]](), "\n".join(texts))


def missing(names: Iterable[str]) -> list[str]:
    """The names that no code in backticks and no heading of the reference has."""
    text = reference()
    found = set(re.findall(r"^#+ (\S+)$", text, re.M))
    for code in re.findall(r"`([^`\n]+)`", text):
        found.update(re.findall(r"[\w.:<>-]+", code))
        found.add(code)
    return [name for name in names if name not in found]


@pytest.mark.parametrize("module", [*api.MODULES, "queueing.exceptions"])
def test_each_public_name_of_a_module_has_an_entry(module: str):
    assert not missing(api.names_of(module))


@pytest.mark.parametrize("module", [*api.MODULES, "queueing.exceptions"])
def test_each_entry_of_a_module_has_a_docstring(module: str):
    found = importlib.import_module(module)
    values = {name: getattr(found, name) for name in api.names_of(module)}
    assert not [
        name
        for name, value in values.items()
        if getattr(value, "__module__", "").startswith("queueing") and not value.__doc__
    ]


def test_each_method_of_the_client_has_an_entry_with_a_docstring():
    from queueing.client import QueueClient

    names = dict(api.members(QueueClient))
    assert not missing(names)
    assert not [name for name in names if not getattr(QueueClient, name).__doc__]


def test_each_setting_has_an_entry_with_its_meaning():
    rows = settings.table().splitlines()[2:]
    assert len(rows) > 20
    assert not [row for row in rows if row.endswith("|  |")]
    assert all(re.match(r"\| `[A-Z_]+`", row) for row in rows)


def test_each_option_of_the_task_backend_has_an_entry():
    from queueing.tasks_backend import RSMQBackend

    [error] = RSMQBackend("default", {"OPTIONS": {"unknown": 1}}).check()
    names = re.search(r"Known are: (.*)\.", error.msg)
    assert names
    assert not missing(names[1].split(", "))


def test_each_variable_of_the_site_has_an_entry():
    done = subprocess.run(
        [sys.executable, "-c", VARIABLES], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    # Python's own modules ask, too.
    asked = [name for name in json.loads(done.stdout) if not name.lstrip("_").startswith("PYTHON")]
    assert "REDIS_URL" in asked
    assert not missing(asked)


def test_each_verb_and_option_of_the_commands_has_an_entry():
    text = commands.queues()
    for name in ("list", "redrive", "take-outbox", "work"):
        assert f"### {name}\n" in text
    assert "`--grace SECONDS`" in commands.runworker()
    assert not re.findall(r"^\| `[^|]*\|\s*\|$", text + commands.runworker(), re.M), "without a help"


def test_each_check_has_a_meaning():
    assert set(checks.ids()) <= set(checks.MEANINGS)


def test_each_metric_permission_and_key_has_an_entry():
    assert not missing(name for name, *_ in metrics.families())
    assert all(help for *_, help in metrics.families())
    assert not missing(f"queueing.{codename}" for codename, *_ in permissions.found())
    assert len(keys.found()) > 20


def test_each_signal_has_an_entry_with_the_moment_it_is_sent():
    assert not missing(signals.found())
    assert "|  |" not in signals.table()


def test_each_generated_part_is_on_exactly_one_page():
    named = [part for page in pages() for part in PART.findall(page.read_text(encoding="utf-8"))]
    assert sorted(named) == sorted(PARTS)
