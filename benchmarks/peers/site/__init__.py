"""The site with the two jobs that every peer runs."""
