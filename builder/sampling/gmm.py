"""A mixture of normal distributions with full covariances (McLachlan and Peel 2000).

Numbers are mixed as they are (`space: raw`), where separated clusters live, or as normal
scores inverted through the empirical margins (`space: scores`), which suits skewed and bounded
columns. Categories always take part through scores. Nothing is drawn outside the observed
bounds in either: raw rows that fall out are drawn again from the same component.
"""

import dataclasses
import itertools
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.sampling import (
    arguments,
    fidelity,
    margins,
    normal,
    packed,
)
from builder.sampling.sampler import Arrays, Floats, Options
from builder.stats import distances, threads
from builder.table.tables import Column, Table

FEWEST = 20  # rows below which a mixture is noise
RIDGE = 1e-5  # added to every variance (of columns with variance 1), so that none collapses
COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 30)  # components that may be chosen
ROWS = 4  # the rows a dimension that each component has at least
SHY = 2000  # rows below which the criterion is checked with rows held out
# Parts that are held out one after another, and how often the rows are parted anew.
FOLDS, ROUNDS = 5, 2
AGAIN = 100  # how often a row outside the bounds is drawn again before it is moved to the bound
# How much nearer to 0.5 scores must come before they are taken instead of raw values.
PREFERENCE = 0.01


class Mixture:
    """`gmm: {table, columns, components, space}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
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
        if "space" in options or not any(c.numeric for c in ordered.columns.values()):
            return _fit(ordered, options.get("space", "scores"), components, rng)
        ways = {space: (Mixture, {**options, "space": space}) for space in ("raw", "scores")}
        tried = fidelity.score(ordered, ways, rng)
        if len(tried) < 2:
            return _fit(ordered, "scores", components, rng)
        better = tried["scores"] < tried["raw"] - PREFERENCE
        return _fit(ordered, "scores" if better else "raw", components, rng) | {
            "tried": np.array([tried["raw"], tried["scores"]])
        }

    @staticmethod
    def width(arrays: Arrays) -> int:
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
            fresh = _latent(arrays, component[out], stir(u[out, 1:], again))
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
    z, _ = margins.place(low, high, rng)
    columns = list(table.columns.values())
    raw = np.array([space == "raw" and margin.role == "value" for margin in dimensions])
    centre, scale = np.zeros(len(dimensions)), np.ones(len(dimensions))
    bounds = np.tile([-np.inf, np.inf], (len(dimensions), 1))
    for j in np.flatnonzero(raw):
        x, pitch = columns[dimensions[j].column].values, margins.grid(dimensions[j].levels).pitch
        if np.isnan(x).all():
            name = columns[dimensions[j].column].name
            raise ValueError(
                f"column {name!r} has no number here; space: scores takes such columns"
            )
        centre[j], scale[j] = np.nanmean(x), np.nanstd(x) or 1.0
        z[:, j] = np.where(np.isnan(x), z[:, j], (x - centre[j]) / scale[j])
        # Half a step beyond: a value at the bound has as wide a cell as any other.
        bounds[j] = (np.nanmin(x) - pitch / 2, np.nanmax(x) + pitch / 2)
        bounds[j] = (bounds[j] - centre[j]) / scale[j]
    model = learn(z, components, rng)
    dimensions = [
        margin if raw[j] else marginal(margin, model, j) for j, margin in enumerate(dimensions)
    ]
    grids = [
        margins.grid(margin.levels) if raw[j] else margin.grid
        for j, margin in enumerate(dimensions)
    ]
    return (
        margins.store(table, dimensions)
        | {
            "raw_grids": margins.grids(grids),
            "space": np.array(space),
            "raw": raw,
            "centre": centre,
            "scale": scale,
            "bounds": bounds,
        }
        | model
    )


def _latent(arrays: Arrays, component: NDArray[np.int64], u: Floats) -> list[Floats]:
    """d arrays (n,) of latent numbers from uniform ones (n, d) and components (n,)."""
    n, d = u.shape
    independent = [normal.quantile(u[:, j]) for j in range(d)]
    latent_numbers = [np.empty(n) for _ in range(d)]
    for k in range(len(arrays["means"])):
        rows = np.flatnonzero(component == k)
        mixed = margins.correlate([numbers[rows] for numbers in independent], arrays["factors"][k])
        for j in range(d):
            latent_numbers[j][rows] = mixed[j] + arrays["means"][k, j]
    return latent_numbers


def _outside(arrays: Arrays, z: list[Floats]) -> NDArray[np.int64]:
    out = np.zeros(len(z[0]), dtype=bool)
    for j in np.flatnonzero(arrays["raw"]).tolist():
        low, high = arrays["bounds"][j]
        out |= (z[j] < low) | (z[j] >= high)
    return np.flatnonzero(out)


def _value(arrays: Arrays, j: int, margin: margins.Margin, z: Floats) -> Floats:
    if not arrays["raw"][j]:
        return margin.invert(z)
    origin, step, decimals = arrays["raw_grids"][j].tolist()
    grid = margins.Grid(origin, step, int(decimals))
    x = grid.snap(z * float(arrays["scale"][j]) + float(arrays["centre"][j]))
    return np.clip(x, margin.levels[0], margin.levels[-1])


def learn(z: Floats, components: int | None, rng: np.random.Generator) -> Arrays:
    """`cumulative` (k,) weights, `means` (k, d), `factors` (k, d, d) lower triangles of rows (n, d).

    As many components as given, or as `_chosen` likes.
    """
    seed = int(rng.integers(2**31))
    model = _model(z, components, seed, starts=3) if components else _chosen(z, seed, rng)
    model = _shrunk(model, *z.shape)
    order = np.lexsort(model.means_.T[::-1])
    cumulative = np.cumsum(model.weights_[order])
    return {
        "cumulative": cumulative / cumulative[-1],
        "means": model.means_[order],
        "factors": np.linalg.cholesky(model.covariances_[order]),
    }


def _chosen(z: Floats, seed: int, rng: np.random.Generator) -> Any:
    """The mixture that the Bayesian information criterion likes best (Schwarz 1978).

    It counts every covariance as free, which `_shrunk` ones are not, so on few rows it is shy
    of a second component: there another number takes over where rows that were held out are
    likelier under it by more than a standard error.
    """
    n, d = z.shape
    models: dict[int, Any] = {}
    criterion: dict[int, float] = {}
    most = max(1, n // (ROWS * d))
    for k in (count for count in COUNTS if count <= most):
        models[k] = _model(z, k, seed)
        criterion[k] = float(models[k].bic(z))
        if min(list(criterion.values())[-3:]) > min(criterion.values()):
            break  # three in a row were worse
    best = min(criterion, key=criterion.__getitem__)
    if n < SHY and len(models) > 1:
        logs = _held_out(z, list(models), seed, rng)
        gains = {k: logs[k] - logs[best] for k in models}
        surely = [k for k in models if gains[k].mean() > gains[k].std() / np.sqrt(n)]
        best = max(surely, key=lambda k: float(gains[k].mean()), default=best)
    return models[best]


def _held_out(
    z: Floats, counts: Sequence[int], seed: int, rng: np.random.Generator
) -> dict[int, Floats]:
    """For each number of components the log likelihood (n,) of every row, held out of the fit."""
    logs = {k: np.zeros(len(z)) for k in counts}
    for _ in range(ROUNDS):
        fold = rng.permutation(len(z)) % FOLDS
        for k, f in itertools.product(counts, range(FOLDS)):
            seen, unseen = z[fold != f], fold == f
            model = _shrunk(_model(seen, k, seed), *seen.shape)
            logs[k][unseen] += model.score_samples(z[unseen]) / ROUNDS
    return logs


def _model(z: Floats, k: int, seed: int, starts: int = 1) -> Any:
    with extras.importing("stats"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

    model = GaussianMixture(k, reg_covar=RIDGE, random_state=seed, n_init=starts, max_iter=300)
    with warnings.catch_warnings():
        # A mixture that still moves a little after 300 rounds is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(z)


def _shrunk(model: Any, n: int, d: int) -> Any:
    """The mixture of n rows with each covariance (d, d) drawn towards the one common to all.

    As if a component had d rows more, of the common covariance: one of few rows would follow
    their noise (Fraley and Raftery 2007).
    """
    common = np.einsum("k,kij->ij", model.weights_, model.covariances_)
    rows = (model.weights_ * n)[:, None, None]
    model.covariances_ = (rows * model.covariances_ + d * common) / (rows + d)
    factors = np.linalg.cholesky(model.covariances_)
    model.precisions_cholesky_ = np.linalg.inv(factors).transpose(0, 2, 1)
    return model


def marginal(margin: margins.Margin, model: Arrays, j: int) -> margins.Margin:
    """The margin with its knots where the mixture's own dimension j has the same probabilities."""
    ndtr = distances.special().ndtr
    weights = np.diff(model["cumulative"], prepend=0.0)
    means = model["means"][:, j]
    sds = np.sqrt((model["factors"][:, j, :] ** 2).sum(axis=1))
    p = ndtr(margin.knots)
    low = np.full(len(p), float(np.min(means - 40 * sds)))
    high = np.full(len(p), float(np.max(means + 40 * sds)))
    for _ in range(80):
        middle = (low + high) / 2
        below = sum(w * ndtr((middle - m) / s) for w, m, s in zip(weights, means, sds, strict=True))
        low, high = np.where(below < p, middle, low), np.where(below < p, high, middle)
    knots = np.where(np.isinf(margin.knots), margin.knots, (low + high) / 2)
    return dataclasses.replace(margin, knots=np.maximum.accumulate(knots))


def stir(u: Floats, again: int) -> Floats:
    """Other uniform numbers in (0, 1), fixed by these (n, d) and the count `again`.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over the bits of each number.
    """
    golden = 0x9E3779B97F4A7C15
    x = np.ascontiguousarray(u, dtype=np.float64).view(np.uint64)
    x = x + np.uint64(golden * again % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return ((x >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
