"""What the factory adds to the command line: train, export and rescue."""
