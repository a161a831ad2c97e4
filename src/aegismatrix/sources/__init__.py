"""Where bars come from, beyond the CSV files and frames that `Bars` reads itself."""
