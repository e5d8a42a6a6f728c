"""The verbs: what the command line prints and notebooks call."""
