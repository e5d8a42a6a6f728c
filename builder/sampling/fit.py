"""Chooses among the fitted samplers by rows held out, and keeps the choice with the fit."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from builder.sampling import arguments, cart, fidelity, gmm, packed
from builder.sampling.sampler import Arrays, Floats, Options
from builder.table.tables import Column, Table

FEWEST = 40  # rows whose halves are large enough to compare
# What is tried. `copula` is the second mixture with one component; `bootstrap` copies rows.
WAYS: Mapping[str, fidelity.Way] = {
    "cart": (cart.Cart, {"leaf": 5}),
    "gmm raw": (gmm.Mixture, {"space": "raw"}),
    "gmm scores": (gmm.Mixture, {"space": "scores"}),
}


class Fit:
    """`fit: {table, columns}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        return arguments.named("fit", given, ())

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """The arrays of the chosen sampler, fitted on all rows, with `chosen`, `ways` and `scores`.

        Scores are those of `fidelity.score`, the nearest to 0.5 first. ValueError under 40 rows.
        """
        if len(table) < FEWEST:
            raise ValueError(f"fit needs at least {FEWEST} rows to choose; here are {len(table)}")
        ordered = packed.canonical(table)
        scores = fidelity.score(ordered, WAYS, rng)
        ranked = sorted(scores, key=lambda name: (abs(scores[name] - 0.5), name))
        sampler, settings = WAYS[ranked[0]]
        return sampler.fit(ordered, settings, rng) | {
            "chosen": np.array(ranked[0]),
            "ways": np.array(ranked),
            "scores": np.array([scores[name] for name in ranked]),
        }

    @staticmethod
    def width(arrays: Arrays) -> int:
        return WAYS[arrays["chosen"].item()][0].width(arrays)

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        return WAYS[arrays["chosen"].item()][0].draw(arrays, u)


def choice(arrays: Arrays) -> list[tuple[str, float]]:
    """What was tried with its score, the chosen one first; empty for any other sampler's arrays."""
    if "chosen" not in arrays:
        return []
    return list(zip(arrays["ways"].tolist(), arrays["scores"].tolist(), strict=True))
