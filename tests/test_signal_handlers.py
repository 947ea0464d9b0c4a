"""No signal handler takes a lock: each does nothing, sets a constant, raises, or ends its process.

A handler runs between two steps of the code that it interrupts. If that code holds a lock, of an event, a log
or a stream, a handler that wants it waits for ever. So a handler may call nothing but `os._exit`.
"""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.test_imports import ROOT

PACKAGES = ("queueing", "jobs", "mqsite")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
#: Functions that register a handler, and the number of the argument that is the handler.
REGISTER = {"signal": 1, "add_signal_handler": 1, "handle": 0}
#: ``handle`` of this module passes its argument on.
SIGNALS = "queueing/worker/stop_signals.py"
DEFAULTS = {"SIG_DFL", "SIG_IGN", "default_int_handler"}


@cache
def trees() -> dict[str, ast.Module]:
    """Parsed in the first test, not when the tests are collected."""
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in FILES}


def handlers_in(tree: ast.Module) -> Iterator[ast.expr]:
    """The handler of each call that registers one."""
    registers = {name for name in REGISTER if name != "handle"}
    if any(isinstance(node, ast.ImportFrom) and "signals" in ast.unparse(node) for node in ast.walk(tree)):
        registers.add("handle")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).split(".")[-1]
        if name in registers and len(node.args) > REGISTER[name]:
            yield node.args[REGISTER[name]]


def definitions(name: str) -> list[ast.FunctionDef]:
    return [
        node
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]


def is_harmless(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Constant()) | ast.Pass() | ast.Nonlocal() | ast.Global():
            return True
        case ast.Raise(ast.Call(ast.Name("SystemExit" | "KeyboardInterrupt"), arguments)):
            return all(isinstance(argument, ast.Constant) for argument in arguments)
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("os"), "_exit"), arguments)):
            return all(isinstance(argument, ast.Constant) for argument in arguments)
        case ast.Assign(value=ast.Constant()) | ast.Return(None):
            return True
    return False


def problems(tree: ast.Module, path: str) -> Iterator[str]:
    for handler in handlers_in(tree):
        name = ast.unparse(handler).split(".")[-1]
        if name in DEFAULTS or (path == SIGNALS and name == "handler"):
            continue
        found = definitions(name)
        if not found:
            yield f"{path}:{handler.lineno}: the handler {name} is not a function of the project"
        for function in found:
            for statement in function.body:
                if not is_harmless(statement):
                    yield f"{path}:{statement.lineno}: the handler {name} does {ast.unparse(statement)}"


def test_no_signal_handler_does_more_than_to_set_a_flag_or_to_raise():
    assert [problem for path, tree in trees().items() for problem in problems(tree, path)] == []


def test_the_handlers_of_worker_and_launcher_are_found():
    found = {path for path, tree in trees().items() if list(handlers_in(tree))}
    assert {SIGNALS, "mqsite/devserver/front.py"} <= found


@pytest.mark.parametrize(
    "body", ["event.set()", "logger.info('stop')", "count += 1", "self.stop = clock()", "raise Stop(time())"]
)
def test_a_handler_that_calls_something_is_refused(body: str):
    assert not is_harmless(ast.parse(body).body[0])
