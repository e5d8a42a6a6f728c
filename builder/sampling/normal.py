"""The normal distribution, whole or within bounds, with numpy and the standard library alone.

Bounds are kept by inversion: the shape inside is kept, no edge gathers any.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.sampling.sampler import Arrays, Floats

# Wichura (1988), algorithm AS 241, PPND16: numerators and denominators of three rational
# functions, highest power first: the middle, the tails, the far tails.
_MIDDLE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)


def quantile(p: Floats) -> Floats:
    """Standard normal quantiles of probabilities in (0, 1), any shape; relative error near 1e-16.

    Each number follows from its own probability by the same operations in the same order, so
    the answer does not depend on the array around it. Wichura (1988), AS 241.
    """
    flat = np.ascontiguousarray(p, dtype=np.float64).ravel()
    q = flat - 0.5
    z = q * _ratio(_MIDDLE, 0.180625 - q * q)
    if len(outer := np.flatnonzero(np.abs(q) > 0.425)):
        r = np.sqrt(-np.log(np.minimum(flat[outer], 1.0 - flat[outer])))
        tail = np.where(r > 5.0, _ratio(_FAR, r - 5.0), _ratio(_TAIL, r - 1.6))
        z[outer] = np.where(q[outer] < 0, -tail, tail)
    return z.reshape(np.shape(p))


def cdf(z: float) -> float:
    """The probability below z, accurate in the lower tail."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def bounds(
    sampler: str, options: Mapping[str, Any], centre: float, spread: float
) -> dict[str, Any]:
    """`from` and `mass` of the bounds as probabilities, `mirrored` where the upper tail is meant."""
    low = (options.get("min", -math.inf) - centre) / spread
    high = (options.get("max", math.inf) - centre) / spread
    mirrored = low > 0
    if mirrored:
        low, high = -high, -low
    start = cdf(low)
    mass = cdf(high) - start
    if mass < 1e-250:
        raise ValueError(f"{sampler}: as good as nothing of it lies between min and max")
    return {"start": start, "mass": mass, "mirrored": mirrored}


def values(arrays: Arrays, u: Floats) -> Floats:
    """Standard normal values within the bounds, growing with u."""
    if arrays["mirrored"]:
        return -quantile(float(arrays["start"]) + (1.0 - u) * float(arrays["mass"]))
    p = float(arrays["start"]) + u * float(arrays["mass"])
    return quantile(np.clip(p, 1e-300, 1.0 - 2.0**-53))


def logarithms(options: Mapping[str, Any]) -> dict[str, float]:
    """Bounds of the logarithm."""
    return {
        word: math.log(options[word])
        for word in ("min", "max")
        if word in options and options[word] > 0
    }


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    above, below = (_polynomial(side, x) for side in coefficients)
    above /= below
    return above


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total *= x
        total += coefficient
    return total
