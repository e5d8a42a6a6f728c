"""Statistics: figures from arrays and texts, without a word about gates."""
