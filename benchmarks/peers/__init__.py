"""Ours beside the others, in one run: see ../README.md."""
