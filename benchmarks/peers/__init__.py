"""Benchmarks that compare this queue with other job queues, called peers: see ../README.md."""
