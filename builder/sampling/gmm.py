"""A mixture of normal distributions with full covariances (McLachlan and Peel 2000).

Numbers are mixed as they are (`space: raw`), where separated clusters live, or as normal
scores inverted through the empirical margins (`space: scores`), which suits skewed and bounded
columns. Categories always take part through scores. Nothing is drawn outside the observed
bounds in either: raw rows that fall out are drawn again from the same component.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder.sampling import (
    arguments,
    compare,
    latent,
    margins,
    mixture,
    normal,
    packed,
)
from builder.sampling.margins import Margin
from builder.sampling.normal import Floats
from builder.sampling.sampler import Arrays, Options
from builder.stats import threads
from builder.table.column import Column
from builder.table.tables import Table

FEWEST = 20
"""Rows below which a mixture is noise."""
AGAIN = 100
"""How often a row outside the bounds is drawn again before it is moved to the bound."""
PREFERENCE = 0.01
"""How much nearer to 0.5 scores must come before they are taken instead of raw values."""


class Mixture:
    """`gmm: {table, columns, components, space}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        """components and space where given."""
        options = arguments.named("gmm", given, (), ("components", "space"))
        if "components" in options:
            options["components"] = arguments.whole("gmm", "components", options["components"])
            if options["components"] < 1:
                raise ValueError(f"gmm: components is at least 1, not {options['components']}")
        if "space" in options:
            arguments.choice("gmm", "space", options["space"], ("raw", "scores"))
        return options

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """Weights, means and triangles of the components. ValueError under 20 rows.

        The space, where it is not given, is the one whose draws a classifier tells less well
        from rows that were held out; `tried` keeps both scores.
        """
        components = options.get("components")
        if len(table) < max(FEWEST, 2 * (components or 1)):
            raise ValueError(
                f"gmm needs at least {max(FEWEST, 2 * (components or 1))} rows;"
                f" here are {len(table)}"
            )
        ordered = packed.canonical(table)
        numbers = any(column.numeric for column in ordered.columns.values())
        if "space" in options or not numbers:
            return _fit(ordered, options.get("space", "scores"), components, rng)
        ways = {space: (Mixture, {**options, "space": space}) for space in ("raw", "scores")}
        tried = compare.held_out(ordered, ways, rng)
        if len(tried) < 2:
            return _fit(ordered, "scores", components, rng)
        better = tried["scores"] < tried["raw"] - PREFERENCE
        arrays = _fit(ordered, "scores" if better else "raw", components, rng)
        return arrays | {"tried": np.array([tried["raw"], tried["scores"]])}

    @staticmethod
    def width(arrays: Arrays) -> int:
        """One for the component and one for each dimension."""
        return 1 + int(arrays["means"].shape[1])

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        """n rows within the observed bounds of every column."""
        last = len(arrays["cumulative"]) - 1
        component = np.minimum(np.searchsorted(arrays["cumulative"], u[:, 0]), last)
        z = _latent(arrays, component, u[:, 1:])
        out = _outside(arrays, z)
        for again in range(1, AGAIN + 1):
            if not len(out):
                break
            fresh = _latent(arrays, component[out], mixture.stir(u[out, 1:], again))
            still = _outside(arrays, fresh)
            for column, row in zip(z, fresh, strict=True):
                column[out] = row
            out = out[still]
        dimensions = margins.load(arrays)
        values = [
            _value(arrays, j, margin, row)
            for j, (margin, row) in enumerate(zip(dimensions, z, strict=True))
        ]
        return margins.columns(arrays, dimensions, values)


@threads.single()
def _fit(table: Table, space: str, components: int | None, rng: np.random.Generator) -> Arrays:
    dimensions, low, high = margins.learn(table)
    z, _ = latent.place(low, high, rng)
    columns = list(table.columns.values())
    raw = np.array([space == "raw" and margin.role == "value" for margin in dimensions])
    centre, scale = np.zeros(len(dimensions)), np.ones(len(dimensions))
    bounds = np.tile([-np.inf, np.inf], (len(dimensions), 1))
    for j in np.flatnonzero(raw):
        x, pitch = columns[dimensions[j].column].values, margins.grid(dimensions[j].levels).pitch
        centre[j], scale[j] = np.nanmean(x), np.nanstd(x) or 1.0
        gaps = np.isnan(x)
        z[:, j] = np.where(gaps, z[:, j], (x - centre[j]) / scale[j])
        # Half a step beyond: a value at the bound has as wide a cell as any other.
        bounds[j] = (np.nanmin(x) - pitch / 2, np.nanmax(x) + pitch / 2)
        bounds[j] = (bounds[j] - centre[j]) / scale[j]
    model = mixture.fit(z, components, rng)
    dimensions = [
        margin if raw[j] else mixture.marginal(margin, model, j)
        for j, margin in enumerate(dimensions)
    ]
    grids = [
        margins.grid(margin.levels) if raw[j] else margin.grid
        for j, margin in enumerate(dimensions)
    ]
    stored = margins.store(table, dimensions) | {
        "raw_grids": np.array([[grid.origin, grid.step, grid.decimals] for grid in grids]),
        "space": np.array(space),
        "raw": raw,
        "centre": centre,
        "scale": scale,
        "bounds": bounds,
    }
    return stored | model


def _latent(arrays: Arrays, component: NDArray[np.int64], u: Floats) -> list[Floats]:
    """d arrays (n,) of latent numbers from uniform ones (n, d) and components (n,)."""
    n, d = u.shape
    independent = [normal.quantile(u[:, j]) for j in range(d)]
    latent_numbers = [np.empty(n) for _ in range(d)]
    for k in range(len(arrays["means"])):
        rows = np.flatnonzero(component == k)
        mixed = latent.correlate([numbers[rows] for numbers in independent], arrays["factors"][k])
        for j in range(d):
            latent_numbers[j][rows] = mixed[j] + arrays["means"][k, j]
    return latent_numbers


def _outside(arrays: Arrays, z: list[Floats]) -> NDArray[np.int64]:
    """The rows with a number beyond its bounds."""
    out = np.zeros(len(z[0]), dtype=bool)
    for j in np.flatnonzero(arrays["raw"]).tolist():
        low, high = arrays["bounds"][j]
        out |= (z[j] < low) | (z[j] >= high)
    return np.flatnonzero(out)


def _value(arrays: Arrays, j: int, margin: Margin, z: Floats) -> Floats:
    if not arrays["raw"][j]:
        return margin.invert(z)
    origin, step, decimals = arrays["raw_grids"][j].tolist()
    grid = margins.Grid(origin, step, int(decimals))
    x = grid.snap(z * float(arrays["scale"][j]) + float(arrays["centre"][j]))
    return np.clip(x, margin.levels[0], margin.levels[-1])
