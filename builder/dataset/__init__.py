"""A dataset's folder: shapes, shards, manifest and card, written from accepted rows."""
