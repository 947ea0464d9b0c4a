"""An application whose handlers' module asks the database when it is imported, before the worker forks."""
