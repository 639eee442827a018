"""What is inside a container image."""
