"""Results: what the answers in the store make of a plan, as rows, rejects and what is missing."""
