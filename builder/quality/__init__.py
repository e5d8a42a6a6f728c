"""Quality: gates over the rows of a dataset, their report, and top-ups for what is thin."""
