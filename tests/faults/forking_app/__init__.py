"""An application whose handlers fork and start programs."""
