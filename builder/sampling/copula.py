"""A Gaussian copula over empirical margins: the correlations of ranks, and every margin kept.

Sklar (1959), Nelsen (2006). It suits small tables of numbers; categories take part through
one latent number each, so that relations among them are kept only roughly.
"""

from typing import Any, ClassVar

import numpy as np

from builder.sampling import (
    arguments,
    margins,
    normal,
    packed,
)
from builder.sampling.sampler import Arrays, Floats, Options
from builder.table.tables import Column, Table

FEWEST = 10  # rows below which correlations are noise


class Copula:
    """`copula: {table, columns}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        return arguments.named("copula", given, ())

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """Margins and the lower triangle of the correlations. ValueError under 10 rows."""
        if len(table) < FEWEST:
            raise ValueError(f"copula needs at least {FEWEST} rows; here are {len(table)}")
        ordered = packed.canonical(table)
        dimensions, low, high = margins.learn(ordered)
        _, r = margins.place(low, high, rng)
        return margins.store(ordered, dimensions) | {"factor": np.linalg.cholesky(r)}

    @staticmethod
    def width(arrays: Arrays) -> int:
        return len(arrays["factor"])

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        """n rows within the observed values of every column."""
        z = margins.correlate(
            [normal.quantile(u[:, j]) for j in range(u.shape[1])], arrays["factor"]
        )
        dimensions = margins.load(arrays)
        values = [margin.invert(row) for margin, row in zip(dimensions, z, strict=True)]
        return margins.columns(arrays, dimensions, values)
