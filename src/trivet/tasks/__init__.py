"""What a task is. Pure data and checks; imports nothing else of Trivet."""
