"""Handlers whose import never completes: the module prints a line and waits."""

import sys
import time

sys.stderr.write("importing\n")
sys.stderr.flush()
while True:
    time.sleep(0.05)
