"""The site: wiring only. Its application is ``jobs``, its queue is ``queueing``."""
