"""The console in themes of the admin that projects use."""

import os
import sys
from importlib.util import find_spec

import pytest
from django.contrib import admin

from queueing.models import Job
from tests.support.program import Program

THEMES = ("unfold", "jazzmin", "grappelli")


@pytest.mark.parametrize("theme", THEMES)
def test_all_pages_answer_and_verbs_work(theme: str) -> None:
    if find_spec(theme) is None and "CI" not in os.environ:
        pytest.skip(f"{theme} is not installed: pip install -r requirements-dev.txt")
    settings = {"THEME": theme, "DJANGO_SETTINGS_MODULE": "tests.unit.admin.themes.settings"}

    walk = Program([sys.executable, "-m", "tests.unit.admin.themes.walk"], env=settings, name=theme)

    assert walk.run(within_seconds=180) == 0, walk.tail()


def test_each_filter_of_the_jobs_has_the_name_that_themes_ask_for() -> None:
    for one in admin.site._registry[Job].list_filter:
        assert one.parameter_name, one
