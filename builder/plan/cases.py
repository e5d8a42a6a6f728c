"""Cases in columns of numbers, and the repeats that tell equal requests apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.records import Key


@dataclass(frozen=True, slots=True)
class Cases:
    """Some cases of one scenario, in columns of length n."""

    index: NDArray[np.int64]
    occurrence: NDArray[np.int32]
    digests: NDArray[np.void]  # (n,) of 16 bytes
    repeats: NDArray[np.int32]
    sizes: NDArray[np.int32]  # (n,) UTF-8 bytes of the messages

    def __len__(self) -> int:
        return len(self.index)

    @property
    def requests(self) -> int:
        """How many different requests they are; those that stand in an earlier scenario aside."""
        return max(1, int(np.count_nonzero(self.repeats == 0)))

    def take(self, rows: NDArray[Any]) -> Cases:
        """Some of the cases, by index or mask."""
        return Cases(
            self.index[rows], self.occurrence[rows], self.digests[rows],
            self.repeats[rows], self.sizes[rows],
        )  # fmt: skip

    def none(self) -> Cases:
        """No case."""
        return self.take(np.empty(0, np.int64))

    def keys(self, start: int, stop: int) -> list[Key]:
        """The keys of the first try of these cases."""
        raw, repeats = self.digests[start:stop].tobytes(), self.repeats[start:stop].tolist()
        return [Key(raw[16 * i : 16 * i + 16], repeat, 0) for i, repeat in enumerate(repeats)]


def number_repeats(parts: Sequence[Cases], before: Sequence[Cases]) -> list[Cases]:
    """Cases with their repeats: how many equal requests stand ahead of each, those `before` first."""
    lengths = [len(part) for part in parts]
    ahead = sum(len(part) for part in before)
    if not sum(lengths):
        return list(parts)
    digests = np.concatenate([part.digests for part in (*before, *parts)])
    words = digests.view(np.uint64).reshape(-1, 2)
    order = np.lexsort((words[:, 1], words[:, 0]))
    ranked, places = words[order], np.arange(len(order))
    fresh = np.append(True, (ranked[1:] != ranked[:-1]).any(axis=1))
    starts = np.maximum.accumulate(np.where(fresh, places, 0))
    repeats = np.empty(len(order), np.int32)
    repeats[order] = places - starts
    split = np.split(repeats[ahead:], np.cumsum(lengths)[:-1])
    return [replace(part, repeats=own) for part, own in zip(parts, split, strict=True)]
