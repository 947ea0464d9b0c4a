"""Django's own test cases for task backends, run against ours."""
