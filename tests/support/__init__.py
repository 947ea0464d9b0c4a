"""Real programs for the tests. Each starts on a free loopback port and is stopped by its process number."""
