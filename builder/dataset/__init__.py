"""The exported dataset: its files, shapes, manifest and card."""
