"""Benchmarks of this queue and of other job queues, called peers: see README.md."""
