"""An application whose handlers' module queries the database during its import, before the worker forks."""
