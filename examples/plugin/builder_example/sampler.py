"""A sampler for an opinion of three numbers: `- wait: {triangular: [1, 2, 10]}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder.sampling.sampler import Arrays, Sampler
from builder.table.tables import NUMBER, Column, Table


class Triangular(Sampler):
    """Numbers from low to high, the likeliest of them `mode`."""

    fitted: ClassVar[bool] = False

    @staticmethod
    def options(given: Any) -> dict[str, Any]:
        match given:
            case [int() | float() as low, int() | float() as mode, int() | float() as high]:
                if low <= mode <= high and low < high:
                    return {"low": low, "mode": mode, "high": high}
        raise ValueError(f"triangular takes [low, mode, high] in that order, not {given!r}")

    @staticmethod
    def fit(table: Table, options: Mapping[str, Any], rng: np.random.Generator) -> Arrays:
        return {name: np.array(float(value)) for name, value in options.items()}

    @staticmethod
    def width(arrays: Arrays) -> int:
        return 1

    @staticmethod
    def draw(arrays: Arrays, u: NDArray[np.float64]) -> dict[str, Column]:
        low, mode, high = (float(arrays[name]) for name in ("low", "mode", "high"))
        share, span = u[:, 0], high - low
        rising = low + np.sqrt(share * span * (mode - low))
        falling = high - np.sqrt((1 - share) * span * (high - mode))
        values = np.where(share < (mode - low) / span, rising, falling)
        return {"": Column("", NUMBER, values)}
