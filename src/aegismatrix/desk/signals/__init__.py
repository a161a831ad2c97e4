"""What a desk reads: pure functions from bars and forecasts to frozen dataclasses.

Nothing here opens a session; every number comes from the bars or from a model's probability.
"""
