"""Filling a plan: calls are made at the pace that an endpoint bears, answers go into the store."""
