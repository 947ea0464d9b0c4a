"""A run of faults that chance picks, from a seed: workers, Redis, database and wire are struck while
messages flow, and what must hold is checked when all is well again."""
