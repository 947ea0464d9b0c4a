"""An application whose handlers record their runs."""
