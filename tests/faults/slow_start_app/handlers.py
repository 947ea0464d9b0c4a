"""Handlers whose module is never imported completely: it waits, and says that it does."""

import sys
import time

sys.stderr.write("importing\n")
sys.stderr.flush()
while True:
    time.sleep(0.05)
