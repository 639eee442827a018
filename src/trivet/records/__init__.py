"""Directories, journals, owners: what happened."""
