"""One run from call to record."""
