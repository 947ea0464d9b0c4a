"""Every page in German and in Arabic: no text is left in English, and nothing is cut off or too wide."""

import re
from collections.abc import Callable

import polib
import pytest
from playwright.sync_api import Page

from queueing.client import QueueClient
from tests.support.programs import ROOT

from .conftest import Visit
from .test_sweep import busy, sweep, troubles_on

__all__ = ["busy"]

#: All texts for people: those of elements, and of attributes.
TEXTS = """() => {
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = new Set();
    while (nodes.nextNode()) {
        const parent = nodes.currentNode.parentElement;
        if (!parent.closest("script, style, code, pre")) texts.add(nodes.currentNode.textContent);
    }
    for (const one of document.querySelectorAll("[title], [aria-label], [placeholder], input[type=submit]")) {
        for (const name of ["title", "aria-label", "placeholder"]) texts.add(one.getAttribute(name) || "");
        if (one.type === "submit") texts.add(one.value);
    }
    return [...texts].map((text) => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""
#: Elements whose text is longer than their box, which hides the rest and does not show that it does.
CUT_OFF = """() => [...document.querySelectorAll("#container *, main *")]
    .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden"))
    .filter((one) => ["hidden", "clip"].includes(getComputedStyle(one).overflowX))
    .filter((one) => getComputedStyle(one).textOverflow !== "ellipsis")
    .filter((one) => one.scrollWidth > one.clientWidth + 1)
    .map((one) => `cut off: ${one.outerHTML.slice(0, 120)}`)"""
PLACEHOLDER = re.compile(r"%(?:\\\(\w+\\\))?[sd]")


def pattern(text: str) -> re.Pattern[str]:
    """Matches a text of a catalog with any values in it."""
    return re.compile(PLACEHOLDER.sub(".+", re.escape(" ".join(text.split()))))


@pytest.fixture(scope="module")
def patterns() -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """The English texts that have a different translation into German, and the German ones."""
    english, german = set(), set()
    for app in ("queueing", "jobs"):
        for entry in polib.pofile(str(ROOT / app / "locale/de/LC_MESSAGES/django.po")):
            german |= {entry.msgstr, *entry.msgstr_plural.values()} - {""}
            english |= {entry.msgid, entry.msgid_plural} - {""}
    return [pattern(text) for text in english - german], [pattern(text) for text in german]


def test_no_text_is_in_english_for_a_german(
    visit: Visit, log_in: Callable[[Page], None], busy: QueueClient, patterns
):
    english, german = patterns

    def look(page: Page) -> list[str]:
        return [
            text
            for text in page.evaluate(TEXTS)
            if any(known.fullmatch(text) for known in english)
            and not any(known.fullmatch(text) for known in german)
        ] + troubles_on(page)

    page = visit.page(locale="de")
    log_in(page)
    found = sweep(page, look)
    assert page.locator("html").get_attribute("lang") == "de"
    assert {kind: troubles for kind, troubles in found.items() if troubles} == {}


def test_nothing_is_cut_off_where_people_read_from_right_to_left(
    visit: Visit, log_in: Callable[[Page], None], busy: QueueClient
):
    page = visit.page(locale="ar")
    log_in(page)
    assert page.locator("html").get_attribute("dir") == "rtl"
    found = sweep(page, lambda page: troubles_on(page) + page.evaluate(CUT_OFF))
    assert {kind: troubles for kind, troubles in found.items() if troubles} == {}
