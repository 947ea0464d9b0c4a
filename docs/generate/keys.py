"""The keys of Redis, from the class that makes their names."""

import importlib
import inspect
import pkgutil
import re

import queueing

from . import text


def table() -> str:
    """One row for each key."""
    return text.table(("key", "type and content"), [(f"`{key}`", said) for key, said in found()])


def found() -> list[tuple[str, str]]:
    """The pattern of each key, and its docstring."""
    keys = _keys_class()("<ns>")
    rows = []
    for name, method in vars(type(keys)).items():
        said = text.prose(getattr(method, "__doc__", ""))
        if name.startswith("_") or not re.match(r"[A-Z/]{3,}\b", said):
            continue
        names = [f"<{one}>" for one in inspect.signature(method).parameters if one != "self"]
        rows.append((getattr(keys, name)(*names), said))
    return rows


def _keys_class() -> type:
    """The class is in the module named ``keys``, whichever package that is in."""
    for module in pkgutil.walk_packages(queueing.__path__, "queueing."):
        if module.name.rpartition(".")[2] == "keys":
            return importlib.import_module(module.name).Keys
    raise LookupError("queueing has no module keys")
