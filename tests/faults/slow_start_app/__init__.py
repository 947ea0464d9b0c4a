"""An application that takes long to import."""
