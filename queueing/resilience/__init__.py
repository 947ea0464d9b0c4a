"""Bounded waits: a page responds quickly even if Redis or the database does not.

The names in ``__all__`` are public. A project may use them in its own views.
"""

from .circuit_breaker import database_guard
from .deadline import bounded_view, within

__all__ = ["bounded_view", "database_guard", "within"]
