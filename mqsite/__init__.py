"""The demo site. This package only connects the application ``jobs`` and the queue ``queueing``."""
