"""The check of wording finds what is banned and leaves plain sentences alone."""

import pytest

from tests.plain_english import document_texts, findings, paragraphs, python_texts, template_texts, wrong_in

BANNED = [
    "What a handler returns is stored.",
    "Where Redis is away, the call fails.",
    "It starts. Of a long body only the beginning is kept.",
    "That of the worker.",
    "So many messages are sent.",
    "The list is made anew.",
    "An empty body is no error.",
    "The worker goes on after an error.",
    "The supervisor tells the child.",
    "The child hears of it.",
    "The log says what failed.",
    "The sweeper looks at each key.",
    "The message lies in the outbox.",
    "A value stands in the hash.",
    "Read by whoever is first.",
]
PLAIN = [
    "What does a handler return?",
    "Of course, the call may fail.",
    "There is no queue of this name.",
    "The queue is no longer paused.",
    "The worker stops at once.",
    "The name of the queue tells the two apart.",
    "The letter Q stands for queue.",
    "The client looks up the queue.",
    "The timeout is ten seconds, say.",
]


@pytest.mark.parametrize("sentence", BANNED)
def test_a_banned_beginning_or_word_is_found(sentence):
    assert list(wrong_in(sentence))


@pytest.mark.parametrize("sentence", PLAIN)
def test_a_plain_sentence_passes(sentence):
    assert not list(wrong_in(sentence))


def test_docstrings_comments_and_test_names_of_python_are_read():
    source = '"""Module."""\n\n# A\n# comment.\ndef test_it_works():\n    """Function."""\n    x = "string"\n'
    texts = {text.strip() for _, text in python_texts(source)}
    assert texts == {"Module.", "A\ncomment.", "It works", "Function.", ""}


def test_only_the_texts_of_a_template_are_read():
    block = "{% blocktranslate %}Three{% endblocktranslate %}"
    source = "{% load i18n %}<b>{% translate 'One' %}</b>{# Two #}" + block
    assert [text for _, text in template_texts(source)] == ["One", "Two", "Three"]


def test_code_and_headings_of_a_document_are_left_out():
    [(start, text)] = document_texts("# What it is\n\nRun `whatever` now.\n\n```sh\nwhatever\n```\n")
    assert not [wrong for _, paragraph in paragraphs(start, text) for wrong in wrong_in(paragraph)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", "A plain line.\n\nSecond.\n- What comes next.\n"),
        ("script.lua", "-- Plain.\n\n-- One.\n-- - What comes next.\n"),
        ("first.lua", "-- What comes next.\n"),
        ("module.py", '"""Plain."""\n\n# What comes next.\n'),
    ],
)
def test_a_finding_names_the_file_and_the_line_of_its_paragraph(tmp_path, monkeypatch, name, text):
    monkeypatch.setattr("tests.plain_english.ROOT", tmp_path)
    path = tmp_path / name
    path.write_text(text)
    line = text[: text.index("What")].count("\n") + 1
    assert list(findings(path)) == [f"{name}:{line}: What comes next."]
