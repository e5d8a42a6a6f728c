"""The store: every completion that was paid for, under its content address."""

from builder.store.lock import locked
from builder.store.store import Damaged, Store, reading, writing

__all__ = ["Damaged", "Store", "locked", "reading", "writing"]
