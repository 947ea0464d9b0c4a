"""Functions of the layers above, which policies need. ``AppConfig.ready`` sets them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Above:
    """The functions of a process. Without them no message has a policy that its sender applies."""

    #: Returns the handler of a queue, ``None`` without one.
    handler_of: Callable[[str], Any] = lambda queue: None
    #: Makes the header of the limit for the body of a task that is sent again; ``{}`` for other bodies.
    limit_of_task: Callable[[str], dict[str, str]] = lambda body: {}


above = Above()
