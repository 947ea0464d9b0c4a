"""An app whose handlers end in awkward ways, for the workers of one test."""
