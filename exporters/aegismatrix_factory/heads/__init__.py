"""The models: what each answers, how it is fitted, and its graph."""
