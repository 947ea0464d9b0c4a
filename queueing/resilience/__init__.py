"""Bounded waits: a page answers quickly even if Redis or the database does not.

These names are public, for use in a project's own views.
"""

from .circuit_breaker import database_guard
from .deadline import bounded_view, within

__all__ = ["bounded_view", "database_guard", "within"]
