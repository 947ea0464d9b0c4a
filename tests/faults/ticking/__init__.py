"""An app with schedules of every second, for the workers of one test alone."""
