"""``State`` is the only list of its words: scripts, migration, styles and Python agree with it."""

import ast
import re
from pathlib import Path

import pytest

import queueing
from queueing.broker.outcomes import ENDS, State
from queueing.migrations import __name__ as migrations

PACKAGE = Path(queueing.__file__).parent
LUA = sorted((PACKAGE / "broker" / "lua").rglob("*.lua"))
LITERAL = re.compile(r"'([^'\n]*)'")
#: A script sets or compares the state of a message or the end of a delivery.
GIVEN = re.compile(r"\b(?:word|state)\s*[=~]=?\s*'([^'\n]*)'")


def test_scripts_use_every_state_and_no_other_word():
    lines = [line.partition("--")[0] for path in LUA for line in path.read_text().splitlines()]
    literals = {literal for line in lines for literal in LITERAL.findall(line)}
    assert literals >= set(State)
    given = {word for line in lines for word in GIVEN.findall(line)}
    assert set() < given <= set(State)


def test_the_migration_offers_every_end_of_a_delivery_in_order():
    module = __import__(f"{migrations}.0001_initial", fromlist=["Migration"])
    choices = [
        [word for word, _ in field.choices]
        for operation in module.Migration.operations
        for _, field in getattr(operation, "fields", [])
        if getattr(field, "choices", None)
    ]
    assert choices == [list(ENDS), list(ENDS)]


def test_no_other_file_lists_the_words():
    lists = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict)
        and len(set(_texts(node)) & set(State)) > 2
    }
    assert lists == {"migrations/0001_initial.py"}


def _texts(node: ast.AST) -> list[str]:
    return [
        child.value
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and type(child.value) is str
    ]


@pytest.mark.parametrize(
    ("question", "states"),
    [
        ("ends_delivery", "done retrying dead released abandoned lease-lost gone cancelled"),
        ("is_final", "done dead gone cancelled"),
        ("is_due_later", "delayed retrying"),
        ("runs_again", "retrying released abandoned"),
        ("counts_as_failure", "retrying dead abandoned"),
        ("is_settled", "done retrying dead released abandoned cancelled"),
        ("was_claimed", "done retrying dead abandoned lease-lost gone"),
    ],
)
def test_a_state_answers_questions_about_itself(question, states):
    wanted = {word.replace("-", " ") for word in states.split()}
    assert {state for state in State if getattr(state, question)} == wanted


def test_a_state_is_its_word_and_has_a_label():
    assert State("lease lost") is State.LEASE_LOST
    assert f"{State.LEASE_LOST}" == "lease lost" == str(State.LEASE_LOST.label)
    assert {"lease lost": 1}[State.LEASE_LOST] == 1
