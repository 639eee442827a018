"""SLURM: how a site is configured, and how units are gathered into jobs. Pure so far; the engine is to come."""
