"""The catalogs of translations are complete, compiled, and of the same texts as the code."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

from tests.support.programs import ROOT, require

LANGUAGES = ("de", "es", "fr", "zh_Hans")
#: Each app with catalogs, and all folders whose texts are in them.
SOURCES = {"queueing": ("queueing",), "jobs": ("jobs", "mqsite", "templates")}
CATALOGS = [(app, language) for app in SOURCES for language in LANGUAGES]
#: Names of values in a text, of both kinds that Django has, and tags.
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?\w+|&\w+;")
#: The parts of a template that show no text, or text that is marked for translation.
NOT_SHOWN = re.compile(
    r"\{% blocktranslate.*?endblocktranslate %\}|\{% block (?:bodyclass|coltype) %\}.*?\{% endblock %\}"
    r"|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<(script|style)\b.*?</\1>",
    re.DOTALL,
)
SHOWN_ATTRIBUTE = re.compile(r'\b(?:title|alt|placeholder|aria-label)="([^"]*)"')
WORD = re.compile(r"[^\W\d_]{2,}")
#: A unit and the name of a queue are the same in every language.
SAME_EVERYWHERE = {"ms", "testqueue"}


def catalog(app: str, language: str) -> Path:
    return ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"


def key(entry: polib.POEntry) -> tuple[str, str]:
    return (entry.msgctxt or "", entry.msgid)


def texts(entry: polib.POEntry) -> Iterator[tuple[list[str], str]]:
    """Each translation of an entry, with the originals whose placeholders it may have."""
    if entry.msgid_plural:
        yield from (([entry.msgid, entry.msgid_plural], text) for text in entry.msgstr_plural.values())
    else:
        yield [entry.msgid], entry.msgstr


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_each_text_is_translated(app: str, language: str):
    entries = polib.pofile(str(catalog(app, language)))
    missing = [entry.msgid for entry in entries if entry.fuzzy or not entry.translated()]
    assert not missing, "translate these in the catalog, and remove the mark 'fuzzy'"


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_a_translation_keeps_placeholders_and_spaces(app: str, language: str):
    wrong = []
    for entry in polib.pofile(str(catalog(app, language))):
        for originals, text in texts(entry):
            wanted = [sorted(PLACEHOLDER.findall(original)) for original in originals]
            ends = [(o[:1].isspace(), o[-1:].isspace()) for o in originals]
            if (
                sorted(PLACEHOLDER.findall(text)) not in wanted
                or (text[:1].isspace(), text[-1:].isspace()) not in ends
            ):
                wrong.append((originals, text))
    assert not wrong


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_the_compiled_catalog_is_that_of_the_source(app: str, language: str):
    source = polib.pofile(str(catalog(app, language)))
    compiled = polib.mofile(str(catalog(app, language).with_suffix(".mo")))
    assert {key(entry): list(texts(entry)) for entry in compiled} == {
        key(entry): list(texts(entry)) for entry in source
    }, "run `make messages`"


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with catalogs that were made from it just now."""
    require("xgettext", "apt-get install gettext")
    copy = tmp_path_factory.mktemp("messages")
    without_settings = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    for app, folders in SOURCES.items():
        for folder in folders:
            shutil.copytree(
                ROOT / folder, copy / app / folder, ignore=shutil.ignore_patterns("locale", "*.pyc")
            )
        (copy / app / "locale").mkdir()
        subprocess.run(
            [sys.executable, "-m", "django", "makemessages", "--locale", "de"],
            cwd=copy / app, env=without_settings, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    return copy


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_the_catalogs_have_the_texts_of_the_code(extracted: Path, app: str, language: str):
    wanted = {key(entry) for entry in polib.pofile(str(extracted / app / "locale/de/LC_MESSAGES/django.po"))}
    held = {key(entry) for entry in polib.pofile(str(catalog(app, language)))}
    assert (wanted - held, held - wanted) == (set(), set()), "run `make messages`"


def unmarked(template: str) -> set[str]:
    """The words of a template that no translation reaches."""
    source = NOT_SHOWN.sub(" ", template)
    shown = [re.sub(r"<[^>]*>", " ", source), *SHOWN_ATTRIBUTE.findall(source)]
    return {word for text in shown for word in WORD.findall(text)} - SAME_EVERYWHERE


def test_each_text_of_a_template_is_marked_for_translation():
    assert unmarked('<p title="Left">{% translate "Right" %} over</p>') == {"Left", "over"}
    templates = [path for app in ("queueing", "jobs", "templates") for path in (ROOT / app).rglob("*.html")]
    assert len(templates) > 40
    found = {str(path.relative_to(ROOT)): unmarked(path.read_text(encoding="utf-8")) for path in templates}
    assert {path: words for path, words in found.items() if words} == {}
