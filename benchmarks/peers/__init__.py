"""This queue beside its peers, in one run: see ../README.md."""
