"""An app with a tick each second, for the workers of one test."""
