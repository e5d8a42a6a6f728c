"""Normal values within bounds, by inversion: the shape inside is kept, no edge gathers any."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.sampling import normal
from builder.sampling.normal import Floats
from builder.sampling.sampler import Arrays


def bounds(
    sampler: str, options: Mapping[str, Any], centre: float, spread: float
) -> dict[str, Any]:
    """`from` and `mass` of the bounds as probabilities, `mirrored` where the upper tail is meant."""
    low = (options.get("min", -math.inf) - centre) / spread
    high = (options.get("max", math.inf) - centre) / spread
    mirrored = low > 0
    if mirrored:
        low, high = -high, -low
    start = normal.cdf(low)
    mass = normal.cdf(high) - start
    if mass < 1e-250:
        raise ValueError(f"{sampler}: as good as nothing of it lies between min and max")
    return {"start": start, "mass": mass, "mirrored": mirrored}


def values(arrays: Arrays, u: Floats) -> Floats:
    """Standard normal values within the bounds, growing with u."""
    if arrays["mirrored"]:
        return -normal.quantile(float(arrays["start"]) + (1.0 - u) * float(arrays["mass"]))
    p = float(arrays["start"]) + u * float(arrays["mass"])
    return normal.quantile(np.clip(p, 1e-300, 1.0 - 2.0**-53))


def logarithms(options: Mapping[str, Any]) -> dict[str, float]:
    """Bounds of the logarithm."""
    return {
        word: math.log(options[word])
        for word in ("min", "max")
        if word in options and options[word] > 0
    }
