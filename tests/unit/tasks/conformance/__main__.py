"""``python -m tests.unit.tasks.conformance LABEL …``: run them on a Redis in memory; JSON of how each ended.

The folder from which they can be imported is in ``PYTHONPATH``.
"""

import json
import sys
import unittest

import django
from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    """Notes the end of each test, the worst of those that it has."""

    ends: dict[str, str] = {}

    def addSuccess(self, test):  # noqa: N802
        super().addSuccess(test)
        self.ends.setdefault(test.id(), "")

    def addError(self, test, err):  # noqa: N802
        super().addError(test, err)
        self.ends[test.id()] = f"{err[0].__name__}: {err[1]}"

    addFailure = addError  # noqa: N815

    def addSubTest(self, test, subtest, err):  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err:
            self.ends[test.id()] = f"{err[0].__name__}: {err[1]}"


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result


def main() -> None:
    django.setup()
    from queueing.testing import fake_queues

    with fake_queues():
        Runner(verbosity=0, interactive=False).run_tests(sys.argv[1:])
    sys.stdout.write(f"\n{json.dumps(Result.ends)}\n")


if __name__ == "__main__":
    main()
