"""Legacy models read without unpickling them, converted and sealed."""
