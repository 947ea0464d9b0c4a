"""Functions of higher layers that policies call. ``AppConfig.ready`` sets them, because an import is not
allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Above:
    """The functions that are set in this process. By default, messages get no headers from policies."""

    #: Returns the handler of a queue, ``None`` without one.
    handler_of: Callable[[str], Any] = lambda queue: None
    #: Makes the header of the limit for the body of a task that is sent again; ``{}`` for other bodies.
    limit_of_task: Callable[[str], dict[str, str]] = lambda body: {}


above = Above()
