"""The demo site: a Django project with the settings and URLs of two applications.

The package ``queueing`` is the message queue. The application ``jobs`` sends messages to it, and runs them.
"""
