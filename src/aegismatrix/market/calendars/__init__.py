"""The exchanges' sessions."""
