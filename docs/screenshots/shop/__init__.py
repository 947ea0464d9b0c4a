"""A small shop whose work the pictures show."""
