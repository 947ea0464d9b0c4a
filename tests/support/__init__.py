"""Real programs for the tests: each starts on a free loopback port and is stopped by its own pid."""
