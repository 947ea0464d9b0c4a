"""The commands with every option, from their parsers."""

import argparse
from typing import Any

from django.core.management import load_command_class

from . import text

#: Options that every command of Django has.
DJANGOS = {"-h", "--version", "-v", "--settings", "--pythonpath", "--traceback", "--no-color"}
DJANGOS |= {"--force-color", "--skip-checks"}


def runworker() -> str:
    """The options of ``manage.py runworker``."""
    return _page(_parser("runworker"))


def queues() -> str:
    """Each verb of ``manage.py queues`` with its options."""
    parser = _parser("queues")
    [verbs] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    helps = {choice.dest: choice.help for choice in verbs._choices_actions}
    parts = []
    for name, page in verbs.choices.items():
        parts.append(f"### {name}\n\n{_sentence(helps.get(name, ''))}\n")
        parts.append(
            "The same as `manage.py runworker`.\n" if name == "work" else _page(page, helps.get(name))
        )
    return "\n".join(parts)


def _parser(name: str) -> Any:
    return load_command_class("queueing", name).create_parser("manage.py", name)


def _page(parser: Any, known: str | None = None) -> str:
    usage = f"```text\n{parser.format_usage().removeprefix('usage: ').rstrip()}\n```\n"
    description = (parser.description or "").strip()
    said = "" if not description or description == known else f"```text\n{description}\n```\n"
    rows = [(_named(action), _help(parser, action)) for action in parser._actions if _is_ours(action)]
    return "\n".join([usage, said, text.table(("argument", "meaning"), rows) if rows else ""])


def _is_ours(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not DJANGOS & set(action.option_strings)


def _named(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest.upper()}`"
    value = "" if action.nargs == 0 else f" {action.metavar or _choices(action) or action.dest.upper()}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""


def _help(parser: Any, action: argparse.Action) -> str:
    return _sentence(parser._get_formatter()._expand_help(action)) if action.help else ""


def _sentence(words: str) -> str:
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", ":")) or not words else ".")
