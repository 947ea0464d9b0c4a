"""The filters that make hostile text harmless and figures pleasant."""

from datetime import UTC, datetime

import pytest
from django.utils import translation

from queueing.monitoring.charts.axes import count_text, seconds_text
from queueing.templatetags.queueing_text import (
    SHOWN_MAX,
    duration,
    laid_out,
    moment,
    payload,
    payload_start,
    state_word,
    visible,
    when,
)
from queueing.text.humanize import unbroken, whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ünïcödé, 日本語, 👩‍🚀\n\tx", "plain, Ünïcödé, 日本語, 👩‍🚀\n\tx"),
        ("\0\x1b\x7f\x85", r"\u0000\u001b\u007f\u0085"),
        ("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\ufeff\U000e0041", r"\ufeff\ue0041"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[]", "[]"),
        ("{}", "{}"),
        ('{"a":1}', '{\n  "a": 1\n}'),
        (' [1 , [ ] , {"a" : "b,[{:\\"" } ] ', '[\n  1,\n  [],\n  {\n    "a": "b,[{:\\""\n  }\n]'),
        ('{"n": 9007199254740993, "n": 1.0e+5}', '{\n  "n": 9007199254740993,\n  "n": 1.0e+5\n}'),
    ],
)
def test_json_is_laid_out_token_by_token(text: str, shown: str) -> None:
    assert laid_out(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "12345678901234567890",
        '"text"',
        "{broken",
        "[1,]",
        "[" * 100_000,
        "[" * 60 + "]" * 60,
        "\x1c[]",
    ],
)
def test_anything_else_is_left_as_it_is(text: str) -> None:
    assert laid_out(text) == text


def test_a_number_of_any_length_is_json() -> None:
    digits = "9" * 10_000

    assert laid_out(f"[{digits}]") == f"[\n  {digits}\n]"


def test_a_payload_is_never_endless() -> None:
    shown = payload("x" * (SHOWN_MAX + 5))

    assert shown.startswith("x" * SHOWN_MAX + "\n")
    assert "5 more characters" in shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (-1, "0 s"),
        (0, "0 s"),
        (0.0042, "0.004 s"),
        (0.42, "0.42 s"),
        (4.25, "4.2 s"),
        (59.6, "60 s"),
        (61, "1 min 1 s"),
        (7260, "2 h 1 min"),
        (86400 * 3, "3 d"),
    ],
)
def test_a_duration_has_one_or_two_units(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == unbroken(shown)


def test_a_line_does_not_end_between_a_number_and_its_unit() -> None:
    for language in ("en", "de", "es", "fr", "zh-hans"):
        with translation.override(language):
            shown = [duration(0), duration(185), duration(7260), duration(259_200), seconds_text(0.03)]
        assert not [text for text in [*shown, count_text(12_000)] if " " in text]


def test_a_duration_has_the_decimal_separator_of_the_language() -> None:
    with translation.override("de"):
        shown = [duration(0.0421), duration(3.26), duration(1234.5)]
    assert shown == [unbroken(text) for text in ("0,042 s", "3,3 s", "20 min 34 s")]


@pytest.mark.parametrize("epoch", [None, 0, -1, 1e18, float("inf")])
def test_a_time_that_cannot_be_is_none(epoch: float | None) -> None:
    assert moment(epoch) is None


def test_a_time_before_today_has_its_day() -> None:
    shown = when(datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC))

    assert 'title="2001-02-03 04:05:06 UTC"' in shown
    assert ">2001-02-03 04:05<" in shown


def test_a_state_that_nobody_knows_is_shown_as_it_is() -> None:
    assert state_word("lease lost") == "lease lost"
    assert state_word("new one") == "new one"


def test_the_start_of_a_payload_has_no_secrets_and_no_surprises() -> None:
    assert payload_start('{"token": "geheim", "n": 12345678901234567890}', 60) == (
        '{"token": "[redacted]", "n": 12345678901234567890}'
    )
    assert payload_start('{"token": "' + "x" * 1000, 30) == '{"token": "[redacted]"'
    assert payload_start("a\u202eb" + "c" * 100, 10) == "a\\u202ebcccccc…"


def test_figures_have_the_separators_of_the_language() -> None:
    with translation.override("de"):
        assert (whole(12_345), seconds_text(1.5), count_text(3_400_000)) == ("12.345", "1,5\xa0s", "3,4\xa0M")
    assert (whole(12_345), seconds_text(1.5), count_text(3_400_000)) == ("12,345", "1.5\xa0s", "3.4\xa0M")
