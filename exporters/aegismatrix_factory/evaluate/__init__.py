"""The judge: markets, walk-forward, losses, champion and challenger."""
