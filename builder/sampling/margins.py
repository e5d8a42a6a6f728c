"""Columns as latent dimensions with standard normal margins, and back.

A number becomes one dimension, or two where some are missing: whether it is there, and its
value. A category, missing being one more, is one dimension with its texts in code-point
order. On the way in a value that repeats becomes an interval of latent numbers, as wide as its
share of the rows. The way back is the empirical quantile function: stepped
where values repeat, so that only observed values come out; linear between order statistics
elsewhere, snapped to the column's grid. Nothing leaves the observed bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from builder.sampling import normal, packed
from builder.sampling.sampler import Arrays, Floats
from builder.stats import distances, threads
from builder.table.tables import Column, Table

RIDGE = 1e-6  # the smallest eigenvalue that a correlation matrix keeps
SWEEPS = 20  # rounds of Gibbs sampling; the second half is averaged
Role = Literal["label", "present", "value"]


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of the form (origin + step * i) / 10**decimals, i whole."""

    origin: float
    step: float
    decimals: int

    def snap(self, x: Floats) -> Floats:
        """The nearest numbers on the grid, any shape."""
        scale = 10.0**self.decimals
        units = self.origin + self.step * np.round((x * scale - self.origin) / self.step)
        return units / scale + 0.0

    @property
    def pitch(self) -> float:
        """The distance of neighbours."""
        return self.step / 10.0**self.decimals


@dataclass(frozen=True, slots=True)
class Margin:
    """One latent dimension of a column."""

    column: int  # place of the column in the table
    role: Role
    stepped: bool
    levels: Floats  # (m,), growing: distinct values where stepped, else order statistics
    # (m,), growing: a level's latent value; where stepped, the upper edge of its interval.
    knots: Floats
    grid: Grid

    def invert(self, z: Floats) -> Floats:
        """Values (n,) of latent numbers (n,); codes for labels."""
        if self.stepped:
            steps = np.searchsorted(self.knots, z, side="left")
            return self.levels[np.minimum(steps, len(self.levels) - 1)]
        values = self.grid.snap(np.interp(z, self.knots, self.levels))
        return np.clip(values, self.levels[0], self.levels[-1])


def learn(table: Table) -> tuple[list[Margin], Floats, Floats]:
    """The d dimensions of a table, and the intervals (n, d) of its rows in them: low and high.

    Both ends agree for a value that stands alone; a value that is missing may be anywhere.
    """
    dimensions = [
        _margin(i, role, values)
        for i, column in enumerate(table.columns.values())
        for role, values in _dimensions(column)
    ]
    margins, low, high = zip(*dimensions, strict=True)
    return list(margins), np.column_stack(low), np.column_stack(high)


def columns(
    arrays: Arrays, margins: Sequence[Margin], values: Sequence[Floats]
) -> dict[str, Column]:
    """Columns from the values (n,) of every dimension, as `Margin.invert` gives them."""
    columns_by_name: dict[str, Column] = {}
    headed = packed.headed(arrays)
    missing: NDArray[np.bool_] | None = None
    for margin, drawn in zip(margins, values, strict=True):
        name, kind = headed[margin.column]
        if margin.role == "present":
            missing = drawn < 0.5
            continue
        if margin.role == "label":
            cells = packed.decoded(drawn.astype(np.int64), arrays[f"texts{margin.column}"])
        else:
            cells = drawn if missing is None else np.where(missing, np.nan, drawn)
        columns_by_name[name] = Column(name, kind, cells)
        missing = None
    return columns_by_name


def store(table: Table, margins: Sequence[Margin]) -> Arrays:
    """Everything that `load` and `columns` need, as arrays."""
    texts = {
        f"texts{i}": packed.coded(column)[1]
        for i, column in enumerate(table.columns.values())
        if not column.numeric
    }
    return (
        packed.header(table)
        | texts
        | {
            "margin_columns": np.array([m.column for m in margins]),
            "margin_roles": np.array([m.role for m in margins]),
            "margin_stepped": np.array([m.stepped for m in margins]),
            "margin_grids": grids([m.grid for m in margins]),
            "margin_sizes": np.array([len(m.levels) for m in margins]),
            "margin_levels": np.concatenate([m.levels for m in margins]),
            "margin_knots": np.concatenate([m.knots for m in margins]),
        }
    )


def grids(listed: Sequence[Grid]) -> Floats:
    """Grids as rows (m, 3) of origin, step and decimals."""
    return np.array([[grid.origin, grid.step, grid.decimals] for grid in listed])


def load(arrays: Arrays) -> list[Margin]:
    """The margins that `store` put into arrays."""
    ends = np.cumsum(arrays["margin_sizes"])[:-1]
    levels, knots = (np.split(arrays[f"margin_{part}"], ends) for part in ("levels", "knots"))
    heads = [arrays[f"margin_{part}"].tolist() for part in ("columns", "roles", "stepped", "grids")]
    return [
        Margin(column, role, stepped, levels[i], knots[i], Grid(origin, step, int(decimals)))
        for i, (column, role, stepped, (origin, step, decimals)) in enumerate(
            zip(*heads, strict=True)
        )
    ]


def grid(x: Floats) -> Grid:
    """The coarsest grid that holds every number of x (n,); about 12 digits where there is none.

    >>> grid(np.array([0.5, 1.25, 2.0]))
    Grid(origin=50.0, step=75.0, decimals=2)
    """
    largest = float(np.max(np.abs(x), initial=1e-12))
    digits = int(np.ceil(np.log10(largest)))
    for decimals in range(-6, 15 - digits):
        scaled = x * 10.0**decimals
        units = np.round(scaled)
        # A decimal's double is within an ulp or two of the scaled whole number.
        if np.all(np.abs(scaled - units) <= 4e-16 * np.abs(scaled)):
            break
    else:
        spread = float(np.ptp(x)) or largest
        return Grid(0.0, 1.0, 12 - int(np.ceil(np.log10(spread))))
    first = units.min()
    step = int(np.gcd.reduce((units - first).astype(np.int64)))
    return Grid(float(first), float(step or 1), decimals)


def _dimensions(column: Column) -> list[tuple[Role, Floats]]:
    """Roles and values (n,) of a column's dimensions."""
    if not column.numeric:
        return [("label", packed.ranked(column).astype(np.float64))]
    missing = np.isnan(column.values)
    if not missing.any():
        return [("value", column.values + 0.0)]
    return [("present", (~missing).astype(np.float64)), ("value", column.values + 0.0)]


def _margin(i: int, role: Role, values: Floats) -> tuple[Margin, Floats, Floats]:
    known = ~np.isnan(values)
    there = values[known] if known.any() else np.zeros(1)
    levels, place, counts = np.unique(there, return_inverse=True, return_counts=True)
    n, m = len(there), len(levels)
    upper = np.cumsum(counts) / n
    edges = np.concatenate([[-np.inf], normal.quantile(upper[:-1]), [np.inf]])
    alone = normal.quantile(upper - 0.5 * counts / n)
    low, high = np.full(len(values), -np.inf), np.full(len(values), np.inf)
    if known.any():
        low[known] = np.where(counts > 1, edges[:-1], alone)[place]
        high[known] = np.where(counts > 1, edges[1:], alone)[place]
    if role != "value" or 2 * m < n or m == 1:
        return Margin(i, role, True, levels, edges[1:], Grid(0.0, 1.0, 0)), low, high
    knots = normal.quantile((np.arange(n) + 0.5) / n)
    return Margin(i, role, False, np.sort(there), knots, grid(levels)), low, high


def correlate(independent: Sequence[Floats], factor: Floats) -> list[Floats]:
    """d correlated arrays (n,) from d independent ones and a lower triangle (d, d).

    Sums run in a fixed order, one column at a time: a matrix product's rounding depends on
    how many rows it is given.
    """
    correlated = []
    for j in range(len(independent)):
        total = independent[0] * factor[j, 0]
        for k in range(1, j + 1):
            if factor[j, k] != 0.0:
                total += independent[k] * factor[j, k]
        correlated.append(total)
    return correlated


@threads.single()
def place(low: Floats, high: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Latent rows (n, d) inside their intervals, and the correlations (d, d) they agree with.

    Gibbs sampling of the extended rank likelihood (Hoff 2007): each number that an interval
    leaves open is drawn given the rest of its row, so that ties and gaps do not weaken the
    correlations as numbers drawn at random would.
    """
    special = distances.special()
    ndtr, ndtri = special.ndtr, special.ndtri
    n, d = low.shape
    below, above = ndtr(low), ndtr(high)
    z: Floats = ndtri(below + (above - below) * rng.random((n, d)))
    z = np.where(low == high, low, z)
    open_rows = [np.flatnonzero(low[:, j] < high[:, j]) for j in range(d)]
    if d == 1 or not any(len(rows) for rows in open_rows):
        return z, correlation(z)
    total = np.zeros((d, d))
    for sweep in range(SWEEPS):
        r = correlation(z)
        for j, rows in enumerate(open_rows):
            if len(rows):
                others = np.arange(d) != j
                slope = np.linalg.solve(r[np.ix_(others, others)], r[others, j])
                sd = np.sqrt(max(1.0 - r[j, others] @ slope, RIDGE))
                mean = z[np.ix_(rows, others)] @ slope
                start = ndtr((low[rows, j] - mean) / sd)
                mass = ndtr((high[rows, j] - mean) / sd) - start
                p = np.clip(start + mass * rng.random(len(rows)), 1e-12, 1 - 1e-12)
                z[rows, j] = np.clip(mean + sd * ndtri(p), low[rows, j], high[rows, j])
        total += correlation(z) if 2 * sweep >= SWEEPS else 0.0
    return z, _definite(total / np.ceil(SWEEPS / 2))


def correlation(z: Floats) -> Floats:
    """Correlations (d, d) of rows (n, d), positive definite; 0 for a column that is constant."""
    centred = z - z.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    scaled = centred / np.where(sd > 0, sd, 1.0)
    r = scaled.T @ scaled / len(z)
    np.fill_diagonal(r, 1.0)
    return _definite(r)


def _definite(r: Floats) -> Floats:
    """The matrix with its eigenvalues lifted to RIDGE and its diagonal back at 1."""
    values, vectors = np.linalg.eigh(r)
    if values[0] >= RIDGE:
        return r
    lifted = (vectors * np.maximum(values, RIDGE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))
