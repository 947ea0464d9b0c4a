"""Reads environment variables by type. For a wrong value, a sentence is recorded, and no error is raised.

A build step such as ``collectstatic`` imports the settings without any variable, and must not fail. For
commands that need the variables, ``startup`` prints the sentences and exits.
"""

from collections.abc import Mapping

YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off"}


class Environment:
    """A read-only view of environment variables.

    ``problems`` maps the name of each variable with a wrong value to a sentence that explains the problem.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return bool(self.text(name))

    def text(self, name: str, default: str = "") -> str:
        """The value without surrounding blanks. An empty variable counts as not set."""
        return self._values.get(name, "").strip() or default

    def flag(self, name: str, default: bool) -> bool:
        """Parse 1, true, yes, on or 0, false, no, off, in upper or lower case.

        Returns ``default`` for an empty or wrong value.
        """
        value = self.text(name).lower()
        if not value or value in YES | NO:
            return value in YES if value else default
        self.problems[name] = f"{name} is {value!r}, but can only be 1 or 0."
        return default

    def number(self, name: str, default: int) -> int:
        value = self.text(name)
        if not value or (value.isascii() and value.isdecimal()):
            return int(value) if value else default
        self.problems[name] = f"{name} is {value!r}, but can only be a whole number from 0 upwards."
        return default

    def names(self, name: str, default: list[str]) -> list[str]:
        return [item.strip() for item in self.text(name).split(",") if item.strip()] or default
