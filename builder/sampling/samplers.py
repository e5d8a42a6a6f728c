"""Samplers by the name that a scenario writes.

Other packages add theirs with an entry point of the group `builder.samplers`; the built-in
ones are known without one, and a name is never taken from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from builder.errors import nearest
from builder.sampling.declared import BOUNDS, parse
from builder.sampling.sampler import Sampler

GROUP = "builder.samplers"
BUILT_IN = {
    "bootstrap": "builder.sampling.bootstrap:Bootstrap",
    "cart": "builder.sampling.cart:Cart",
    "choice": "builder.sampling.declared:Choice",
    "copula": "builder.sampling.copula:Copula",
    "date": "builder.sampling.declared:Date",
    "fit": "builder.sampling.fit:Fit",
    "gmm": "builder.sampling.gmm:Mixture",
    "integer": "builder.sampling.declared:Integer",
    "lognormal": "builder.sampling.declared:Lognormal",
    "normal": "builder.sampling.declared:Normal",
    "poisson": "builder.sampling.declared:Poisson",
    "uniform": "builder.sampling.declared:Uniform",
}


@cache
def _others() -> Mapping[str, EntryPoint]:
    """What other packages add; looking through all that is installed takes milliseconds."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in BUILT_IN}


def names() -> list[str]:
    """Every sampler that a scenario may name, sorted."""
    return sorted({*BUILT_IN, *_others()})


def declared() -> list[str]:
    """The built-in distributions, which need no table."""
    return [name for name, where in BUILT_IN.items() if ".declared:" in where]


def bounds() -> Sequence[str]:
    """The options that may stand beside a distribution's name."""
    return BOUNDS


def declared_options(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of a distribution from its whole line: `{normal: [10, 2], min: 0}`."""
    return sampler(name).options(parse(line, name))


def sampler(name: str) -> type[Sampler]:
    """The sampler of that name; ValueError names the nearest one."""
    if name in BUILT_IN:
        found: type[Sampler] = EntryPoint(name, BUILT_IN[name], GROUP).load()
        return found
    if name in _others():
        found = _others()[name].load()
        return found
    raise ValueError(
        f"there is no sampler {name!r}.{nearest(name, names())} They are: {', '.join(names())}"
    )
