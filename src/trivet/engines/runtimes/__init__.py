"""Runtimes: how an image becomes a process on a machine."""
