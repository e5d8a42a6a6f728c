"""Samplers: columns of numbers and categories from declared distributions or from a table."""
