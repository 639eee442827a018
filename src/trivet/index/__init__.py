"""The database that lists runs; it can be rebuilt from their directories."""
