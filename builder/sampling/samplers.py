"""Samplers by the name that a scenario writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from builder.plugins import PlugPoint
from builder.sampling.declared import BOUNDS, parse
from builder.sampling.sampler import Sampler

SAMPLERS: PlugPoint[type[Sampler]] = PlugPoint("sampler", "builder.samplers", Sampler)


def names() -> list[str]:
    """Every sampler that a scenario may name, sorted."""
    return list(SAMPLERS.names())


def declared() -> list[str]:
    """The distributions of ours, which need no table."""
    return [name for name in SAMPLERS.ours() if not SAMPLERS.load(name).fitted]


def bounds() -> Sequence[str]:
    """The options that may stand beside a distribution's name."""
    return BOUNDS


def declared_options(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of a distribution from its whole line: `{normal: [10, 2], min: 0}`."""
    return sampler(name).options(parse(line, name))


def sampler(name: str) -> type[Sampler]:
    """The sampler of that name; InputError where there is none, or where it does not fit."""
    return SAMPLERS.load(name)
