"""What was said, and what it was worth: the forecast log and its scores."""
