"""Reads models out of old pickles and checkpoints without unpickling them.

A file is walked opcode by opcode against a list of allowed names. A class becomes an inert
`Record`, an array becomes a numpy array, and nothing is imported, looked up or called by name. All
of it runs on numpy and the standard library.
"""
