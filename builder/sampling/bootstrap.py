"""Whole rows of the table, drawn with replacement (Efron 1979).

Joint distribution and all, but every row is a copy of a real one: the privacy gate refuses
a dataset whose columns come from here together.
"""

from typing import Any, ClassVar

import numpy as np

from builder.sampling import arguments, packed
from builder.sampling.sampler import Arrays, Floats, Options
from builder.table.tables import Column, Table


class Bootstrap:
    """`bootstrap: {table, columns}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        return arguments.named("bootstrap", given, ())

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """The table itself, packed. ValueError where it has no rows."""
        if not len(table):
            raise ValueError("bootstrap needs at least one row")
        return packed.pack(packed.canonical(table))

    @staticmethod
    def width(arrays: Arrays) -> int:
        """One uniform number a row: it names a row of the table."""
        return 1

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        n = len(arrays["values0"])
        rows = np.minimum((u[:, 0] * n).astype(np.int64), n - 1)
        return {
            name: Column(name, kind, packed.values(arrays, i, rows))
            for i, (name, kind) in enumerate(packed.headed(arrays))
        }
