"""What makes the manifest."""
