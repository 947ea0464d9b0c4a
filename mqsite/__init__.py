"""The site. This package only connects its parts: the application ``jobs`` and the queue ``queueing``."""
