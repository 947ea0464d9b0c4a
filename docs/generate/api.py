"""Classes and functions, from their signatures and docstrings."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from . import text

#: The public modules with their public names. Without names, those of ``public_names`` count.
MODULES: dict[str, tuple[str, ...]] = {
    "queueing": (),
    "queueing.messages": (),
    "queueing.handlers": ("handler", "policy", "GiveUp", "RetryIn", "Snooze"),
    "queueing.composition": (
        *("chain", "batch", "step", "get_batch", "cancel_batch", "retry_batch", "Chain", "Batch"),
    ),
    "queueing.periodic": ("periodic",),
    "queueing.context": ("Context",),
    "queueing.tasks": (),
    "queueing.tasks_backend": ("RSMQBackend",),
    "queueing.testing": (),
    "queueing.resilience": (),
}
#: The methods of the client by what they are for. The ten of RSMQ come first.
METHODS = {
    "The ten methods of RSMQ": (
        *("create_queue", "list_queues", "delete_queue", "get_queue_attributes", "set_queue_attributes"),
        *("send_message", "receive_message", "delete_message", "pop_message", "change_message_visibility"),
    ),
    "Many messages at a time": (
        *("send_messages", "receive_messages", "delete_messages", "change_visibilities", "release_message"),
    ),
    "Reading": (
        *("peek_messages", "peek_message", "figures_of_queue", "queue_figures", "get_queue_policy"),
        *("dead_letter_queue", "progress_of"),
    ),
    "Policies": (
        *("set_redrive_policy", "delete_redrive_policy", "set_retention", "pause_queue", "resume_queue"),
    ),
    "Operations": (
        *("redrive", "move_messages", "purge_queue", "cancel_message", "cancel_messages"),
        *("stop_message", "stop_messages", "sweep_queue"),
    ),
}
REST = "Used by workers, commands and the console"


def module(name: str) -> str:
    """The public names of a module."""
    found = importlib.import_module(name)
    return "\n".join(entry(f"{name}.{one}", getattr(found, one), 3) for one in names_of(name))


def names_of(name: str) -> list[str]:
    """The names of a module that the reference has."""
    return list(MODULES.get(name) or public_names(name))


def public_names(name: str) -> list[str]:
    """The names in ``__all__``, otherwise the classes and functions that the module defines."""
    found = importlib.import_module(name)
    if hasattr(found, "__all__"):
        return list(found.__all__)
    return [
        one
        for one, value in vars(found).items()
        if not one.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    ]


def client() -> str:
    """The methods of the client in groups. Methods that no group names come last."""
    from queueing.client import QueueClient

    names = [name for name, _ in members(QueueClient)]
    grouped = {name for group in METHODS.values() for name in group}
    groups = {**METHODS, REST: tuple(name for name in names if name not in grouped)}
    parts = [f"## QueueClient\n\n`queueing.client.QueueClient{_signature(QueueClient)}`\n"]
    parts.append(text.prose(QueueClient.__doc__))
    for title, group in groups.items():
        entries = [entry(name, getattr(QueueClient, name), 3) for name in group if name in names]
        parts += [f"\n## {title}\n", *entries] if entries else []
    return "\n".join(parts)


def exceptions() -> str:
    """The errors with their place in the tree."""
    found = importlib.import_module("queueing.exceptions")
    rows = []
    for name in public_names("queueing.exceptions"):
        error = getattr(found, name)
        doc = text.prose(error.__doc__)
        rows.append((f"`{name}`", f"`{error.__base__.__name__}`", f"`{getattr(error, 'name', '')}`", doc))
    return text.table(("exception", "is a", "`.name`", "meaning"), rows)


def members(of: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class, by name, with those of its bases in this package."""
    for name in sorted(dir(of)):
        value = inspect.getattr_static(of, name)
        owner = next(base for base in of.__mro__ if name in vars(base))
        is_member = inspect.isroutine(value) or isinstance(value, property | classmethod | staticmethod)
        if not name.startswith("_") and is_member and owner.__module__.startswith("queueing"):
            yield name, value


def entry(name: str, value: Any, level: int) -> str:
    """A heading, the signature and the docstring. A class shows its fields and members, too."""
    short = name.rpartition(".")[2]
    head = f"{'#' * level} {short}\n"
    if isinstance(value, str):
        return f"{head}\nThe text `{value}`.\n"
    if isinstance(value, property):
        return f"{head}\n{text.prose(value.fget.__doc__)}\n"
    if not inspect.isclass(value):
        shown = f"```text\n{name}{_signature(value)}\n```" if callable(value) else ""
        return f"{head}\n{shown}\n\n{text.prose(inspect.getdoc(value))}\n"
    parts = [head, f"`{name}`\n", text.prose(value.__doc__), ""]
    if _is_foreign(value):
        return f"{head}\n`{name}` is a name for Django's own `{value.__module__}.{value.__name__}`.\n"
    if dataclasses.is_dataclass(value):
        parts.append(_fields(value))
    parts += [entry(one, member, level + 1) for one, member in members(value)]
    return "\n".join(parts)


def _is_foreign(value: Any) -> bool:
    return not value.__module__.startswith("queueing")


def _fields(kind: type) -> str:
    rows = []
    for field in dataclasses.fields(kind):
        if field.name.startswith("_") or not field.init:
            continue
        default = "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        rows.append((f"`{field.name}`", f"`{_type(field.type)}`", default))
    return text.table(("field", "type", "default"), rows) if rows else ""


def _type(found: Any) -> str:
    return found.__name__ if inspect.isclass(found) else re.sub(r"(\w+\.)+", "", str(found))


def _signature(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    shown = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    written = str(signature.replace(parameters=shown))
    # Annotations that are texts lose their quotes; defaults keep them.
    written = re.sub(r"(: |-> )'([^']+)'", r"\1\2", written)
    return re.sub(r"([a-z_]\w*\.)+(?=[A-Z])|~", "", written)
