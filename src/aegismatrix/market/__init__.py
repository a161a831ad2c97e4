"""What goes in: bars, chains, sessions and what became of them. Knows no model."""
