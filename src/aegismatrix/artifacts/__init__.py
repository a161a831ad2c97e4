"""Trust: what is sealed, read and checked before anything runs. Knows no market."""
