"""The site: only wires parts together. Its application is ``jobs``, and its queue is ``queueing``."""
