"""Series as graph expressions, and the features made of them."""
