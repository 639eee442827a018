"""Workflows: connected tasks, and jobs, each one execution of a workflow on a dataset."""
