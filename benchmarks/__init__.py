"""Figures that the documents quote come from here; every timing is a ratio within one run."""
