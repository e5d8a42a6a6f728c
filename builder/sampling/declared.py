"""Distributions that a scenario declares: one column, one uniform number a row, no table.

Every draw is the inverse of a distribution function, so bounds truncate (the shape inside
them is kept and nothing piles up at an edge) and a larger u never gives a smaller value.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder.sampling import arguments, normal
from builder.sampling.sampler import Arrays, Floats, Options
from builder.table.tables import CATEGORY, DATE, INTEGER, NUMBER, OF_CODE, Column, Kind, Table

BOUNDS = ("min", "max", "round")
# The largest mean of a Poisson draw: beyond it, a normal one with `round: 0` is the same.
WIDEST = 1e7


def parse(line: Mapping[str, Any], sampler: str) -> object:
    """What to hand to `options` where bounds stand beside the name: `{normal: [10, 2], min: 0}`.

    `line` is the whole mapping; ValueError says which option stands twice.
    """
    given, bounds = line[sampler], {key: line[key] for key in line if key != sampler}
    if not bounds:
        return given
    if (positions := POSITIONS.get(sampler)) is None:
        raise ValueError(f"{sampler} takes nothing beside it, not {', '.join(map(repr, bounds))}")
    # A mapping is judged by the sampler's own options, with what stands beside it.
    inside = (
        dict(given) if isinstance(given, Mapping) else arguments.named(sampler, given, positions)
    )
    for word in bounds:
        if word in inside:
            raise ValueError(f"{sampler}: {word} is given twice")
    return {**inside, **bounds}


class Declared:
    """What the distributions have in common: one column, named '', of one uniform number a row."""

    fitted: ClassVar[bool] = False

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        return _arrays(options)

    @staticmethod
    def width(arrays: Arrays) -> int:
        return 1


class Uniform(Declared):
    """`uniform: [low, high]`, any number between."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        return _between("uniform", given, extra=("round",))

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        low, high = float(arrays["low"]), float(arrays["high"])
        return _rounded(arrays, np.clip(low + u[:, 0] * (high - low), low, high), low, high)


class Normal(Declared):
    """`normal: [mean, sd]`, truncated to min and max."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        options = arguments.named("normal", given, ("mean", "sd"), BOUNDS)
        arguments.required("normal", options, ("mean", "sd"))
        options = _numbers("normal", options)
        arguments.positive("normal", "sd", options["sd"])
        normal.bounds("normal", options, options["mean"], options["sd"])
        return options

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        return _arrays(
            {**options, **normal.bounds("normal", options, options["mean"], options["sd"])}
        )

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        values = float(arrays["mean"]) + float(arrays["sd"]) * normal.values(arrays, u[:, 0])
        return _bounded(arrays, values)


class Lognormal(Declared):
    """`lognormal: [mu, sigma]` of the logarithm, or {median, sigma}; truncated to min and max."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        options = arguments.named("lognormal", given, ("mu", "sigma"), ("median", *BOUNDS))
        options = _numbers("lognormal", options)
        if "median" in options:
            if "mu" in options:
                raise ValueError("lognormal takes mu or median, not both")
            options["mu"] = math.log(
                arguments.positive("lognormal", "median", options.pop("median"))
            )
        arguments.required("lognormal", options, ("mu", "sigma"))
        arguments.positive("lognormal", "sigma", options["sigma"])
        if options.get("max", 1.0) <= 0:
            raise ValueError(f"lognormal: max is above 0, not {options['max']!r}")
        normal.bounds("lognormal", normal.logarithms(options), options["mu"], options["sigma"])
        return options

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        bounds = normal.bounds(
            "lognormal", normal.logarithms(options), options["mu"], options["sigma"]
        )
        return _arrays({**options, **bounds})

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        logs = float(arrays["mu"]) + float(arrays["sigma"]) * normal.values(arrays, u[:, 0])
        return _bounded(arrays, np.exp(np.minimum(logs, 709.0)))


class Poisson(Declared):
    """`poisson: mean`, a count, truncated to min and max."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        options = arguments.named("poisson", given, ("mean",), ("min", "max"))
        arguments.required("poisson", options, ("mean",))
        options = _numbers("poisson", options)
        if arguments.positive("poisson", "mean", options["mean"]) > WIDEST:
            raise ValueError(f"poisson: mean is at most {WIDEST:g}; use normal with round: 0")
        _counts(options)
        return options

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """The counts and their cumulative probabilities, both (m,)."""
        return _counts(options)

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        return _column(INTEGER, arrays["values"][_steps(arrays["cumulative"], u[:, 0])])


class Integer(Declared):
    """`integer: [low, high]`, both included, each as likely."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        options = _between("integer", given)
        return {word: arguments.whole("integer", word, options[word]) for word in options}

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        return _column(INTEGER, _evenly(arrays, u[:, 0]))


class Date(Declared):
    """`date: [first, last]` as ISO dates, both included, each day as likely."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        """low and high, in days since 1970."""
        options = arguments.named("date", given, ("low", "high"))
        arguments.required("date", options, ("low", "high"))
        options = {word: arguments.day("date", word, options[word]) for word in options}
        if options["low"] > options["high"]:
            raise ValueError("date: low is after high; swap them")
        return options

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        return _column(DATE, _evenly(arrays, u[:, 0]))


class Choice(Declared):
    """`choice: [a, b, c]`, each as likely, or `{a: 3, b: 1}` by weight."""

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        """values, weights and kind (integer, float or category)."""
        if isinstance(given, Mapping):
            weights = [
                arguments.positive("choice", f"the weight of {v!r}", given[v]) for v in given
            ]
        elif isinstance(given, list | tuple):
            weights = [1.0] * len(given)
        else:
            raise ValueError(f"choice takes a list or a mapping of value to weight, not {given!r}")
        if not given:
            raise ValueError("choice needs at least one value")
        values = list(given)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, str | int | float | type(None)):
                raise ValueError(f"choice takes texts and numbers, not {value!r}; quote it")
        return {"values": values, "weights": weights, "kind": _kind(values).code}

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """values, missing and cumulative, (m,) each, and the kind."""
        values = options["values"]
        missing = np.array([value is None for value in values])
        if options["kind"] == CATEGORY.code:
            listed = np.array(["" if value is None else str(value) for value in values])
        else:
            listed = np.array([np.nan if value is None else float(value) for value in values])
        cumulative = np.cumsum(np.array(options["weights"], dtype=np.float64))
        return {
            "values": listed,
            "missing": missing,
            "cumulative": cumulative / cumulative[-1],
            "kind": np.array(options["kind"]),
        }

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        kind, values = OF_CODE[arrays["kind"].item()], arrays["values"]
        if kind == CATEGORY:
            values = values.astype(object)
            values[arrays["missing"]] = None
        return _column(kind, values[_steps(arrays["cumulative"], u[:, 0])])


POSITIONS = {
    "uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("mu", "sigma"),
    "poisson": ("mean",),
}


def _between(sampler: str, given: object, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    options = arguments.named(sampler, given, ("low", "high"), extra)
    arguments.required(sampler, options, ("low", "high"))
    options = _numbers(sampler, options)
    arguments.ordered(sampler, options, "low", "high")
    _grid(sampler, options, options["low"], options["high"])
    return options


def _numbers(sampler: str, options: Mapping[str, Any]) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        word: arguments.whole(sampler, word, value)
        if word == "round"
        else arguments.number(sampler, word, value)
        for word, value in options.items()
    }
    if not -12 <= numbers.get("round", 0) <= 15:
        raise ValueError(f"{sampler}: round is from -12 to 15 decimals, not {numbers['round']}")
    arguments.ordered(sampler, numbers, "min", "max")
    _grid(sampler, numbers, numbers.get("min", -math.inf), numbers.get("max", math.inf))
    return numbers


def _grid(sampler: str, options: Mapping[str, Any], low: float, high: float) -> None:
    if "round" not in options:
        return
    first, last = _inside(options["round"], low, high)
    if first > last:
        raise ValueError(
            f"{sampler}: no number of {options['round']} decimals lies from {low:g} to {high:g}"
        )


def _inside(decimals: int, low: float, high: float) -> tuple[float, float]:
    scale = 10.0**decimals
    first = math.ceil(low * scale - 1e-9) / scale if math.isfinite(low) else low
    last = math.floor(high * scale + 1e-9) / scale if math.isfinite(high) else high
    return first, last


def _rounded(arrays: Arrays, values: Floats, low: float, high: float) -> dict[str, Column]:
    if "round" not in arrays:
        return _column(NUMBER, values)
    decimals = int(arrays["round"])
    first, last = _inside(decimals, low, high)
    snapped = np.clip(np.round(values, decimals), first, last) + 0.0
    return _column(NUMBER if decimals > 0 else INTEGER, snapped)


def _bounded(arrays: Arrays, values: Floats) -> dict[str, Column]:
    low, high = float(arrays.get("min", -math.inf)), float(arrays.get("max", math.inf))
    return _rounded(arrays, np.clip(values, low, high), low, high)


def _counts(options: Mapping[str, Any]) -> Arrays:
    """Counts within the bounds and 12 sd of the mean, with cumulative probabilities."""
    mean = options["mean"]
    reach = 12.0 * math.sqrt(mean) + 40.0
    low = math.ceil(max(options.get("min", 0.0), mean - reach, 0.0))
    high = math.floor(min(options.get("max", math.inf), mean + reach))
    if low > high:
        raise ValueError("poisson: as good as nothing of it lies between min and max")
    counts = np.arange(low, high + 1, dtype=np.float64)
    # log pmf up to a constant: the ratio of neighbours is mean / count.
    logs = np.concatenate([[0.0], np.cumsum(math.log(mean) - np.log(counts[1:]))])
    cumulative = np.cumsum(np.exp(logs - logs.max()))
    return {"values": counts, "cumulative": cumulative / cumulative[-1]}


def _steps(cumulative: Floats, u: Floats) -> NDArray[np.int64]:
    return np.minimum(np.searchsorted(cumulative, u), len(cumulative) - 1).astype(np.int64)


def _evenly(arrays: Arrays, u: Floats) -> Floats:
    low, high = float(arrays["low"]), float(arrays["high"])
    return np.minimum(low + np.floor(u * (high - low + 1.0)), high)


def _kind(values: list[Any]) -> Kind:
    present = [value for value in values if value is not None]
    if not present or any(isinstance(value, str) for value in present):
        return CATEGORY
    return INTEGER if all(isinstance(value, int) for value in present) else NUMBER


def _arrays(options: Options) -> Arrays:
    return {word: np.array(value) for word, value in options.items()}


def _column(kind: Kind, values: NDArray[Any]) -> dict[str, Column]:
    return {"": Column("", kind, values)}
