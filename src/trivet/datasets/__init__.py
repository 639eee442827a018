"""Image lists and their changes. Pure."""
