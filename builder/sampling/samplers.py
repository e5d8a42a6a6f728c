"""Samplers by the name that a scenario writes."""

from __future__ import annotations

from builder.plugins import PlugPoint
from builder.sampling.sampler import Sampler

SAMPLERS: PlugPoint[type[Sampler]] = PlugPoint("sampler", "builder.samplers", Sampler)


def names() -> list[str]:
    """Every sampler that a scenario may name, sorted."""
    return list(SAMPLERS.names())


def declared() -> list[str]:
    """The distributions of ours, which need no table."""
    return [name for name in SAMPLERS.ours() if not SAMPLERS.load(name).fitted]


def sampler(name: str) -> type[Sampler]:
    """The sampler of that name; InputError where there is none, or where it does not fit."""
    return SAMPLERS.load(name)
