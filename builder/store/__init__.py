"""The store: every completion that was paid for, under its content address."""

from builder.store.lock import locked
from builder.store.store import DamagedError, Store, reading, writing

__all__ = ["DamagedError", "Store", "locked", "reading", "writing"]
