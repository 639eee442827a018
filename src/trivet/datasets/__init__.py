"""Datasets: lists of images with attributes and types, and the changes that tasks make to them. Pure functions."""
