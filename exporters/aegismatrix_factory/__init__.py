"""The factory: training, export and proof. Never imported by the package."""
