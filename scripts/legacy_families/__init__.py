"""Tables of the models that `scripts/legacy_maker.py` writes: a name, how to build it, its kind."""
