"""The Hub: datasets published, compared and released."""
