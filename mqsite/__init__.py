"""The site: wiring only. What it does is in ``jobs``, what it runs on in ``queueing``."""
