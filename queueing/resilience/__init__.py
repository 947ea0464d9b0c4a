"""Bounded waits: a page answers although Redis or the database does not.

These names are public. A project uses them in views of its own.
"""

from .circuit_breaker import database_guard
from .deadline import bounded_view, within

__all__ = ["bounded_view", "database_guard", "within"]
