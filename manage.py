#!/usr/bin/env python
"""Django's command line, with the variables of ``make run`` where there are no others."""

import gc
import os
import sys

from django.core.management import execute_from_command_line

from mqsite import startup


def main() -> None:
    if "runworker" in sys.argv and "--watch" not in sys.argv:
        gc.disable()  # Imports leave little to collect. The worker enables it before it forks.
    startup.load_development_file()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    startup.require_variables(startup.needed_by(sys.argv))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
