"""An application whose handlers leave processes without a parent."""
