"""Commands of the repository: arguments, then exporters."""
