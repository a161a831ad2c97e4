"""A census of model files in public repositories, and what the rescue makes of them."""
