"""The settings of ``QUEUEING``, from the dataclass that reads them."""

from dataclasses import MISSING, fields

from django.core.management import load_command_class

from queueing.conf import get_conf

from . import text


def table() -> str:
    """One row for each setting: its default, the option of ``runworker`` and the meaning."""
    kind = type(get_conf())
    said = text.comments(kind)
    options = _options()
    rows = []
    # The fields in small letters are options of one worker.
    for field in (field for field in fields(kind) if field.name.isupper()):
        default = field.default if field.default is not MISSING else field.default_factory()
        shown = repr(list(default) if isinstance(default, tuple) else default)
        option = f"`{options[field.name]}`" if field.name in options else ""
        rows.append((f"`{field.name}`", f"`{shown}`", option, said.get(field.name, "")))
    return text.table(("setting", "default", "option of `runworker`", "meaning"), rows)


def _options() -> dict[str, str]:
    """The options whose help names a setting."""
    parser = load_command_class("queueing", "runworker").create_parser("manage.py", "runworker")
    names = {field.name for field in fields(type(get_conf()))}
    return {
        name: action.option_strings[-1]
        for action in parser._actions
        for name in names
        if action.option_strings and f"({name}:" in str(action.help)
    }
