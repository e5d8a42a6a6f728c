"""The project: what a person wrote, read into values that know their places."""
