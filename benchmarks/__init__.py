"""Benchmarks of the queue and of its peers: see README.md."""
