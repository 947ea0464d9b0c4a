"""Functions of higher layers that policies call.

``AppConfig.ready`` sets them, because policies may not import higher layers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Above:
    """The functions of higher layers. Until a process sets them, policies add no headers to messages."""

    #: Returns the handler of a queue, ``None`` without one.
    handler_of: Callable[[str], Any] = lambda queue: None
    #: Returns the limit header for the body of a task that is sent again, ``{}`` for any other body.
    limit_of_task: Callable[[str], dict[str, str]] = lambda body: {}


above = Above()
