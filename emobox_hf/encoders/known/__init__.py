"""Which encoder exactly: the table of known ones, the identity of weights, loading them."""
