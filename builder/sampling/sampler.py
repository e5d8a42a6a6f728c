"""The plug point: learn arrays from a table once, then draw from uniform numbers alone.

`fit` may import what it likes; `draw` needs numpy only, so that a plan made from kept fits
moves with no library's update. Both are pure: the same table and options give the same
arrays whatever the order of its rows, and row i of a draw depends on row i of `u` alone, so
that chunking is free to change. A sampler holds no state: all of it is in the arrays.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from builder.table.tables import Column, Table

Floats = NDArray[np.float64]
# What a fit learned; names to arrays without Python objects (text as `<U`), as .npz keeps them.
Arrays = dict[str, NDArray[Any]]


Options = Mapping[str, Any]  # A sampler's options in full, by name.


class Sampler(Protocol):
    """A way to draw columns."""

    fitted: ClassVar[bool]
    """True: named in the list (`- gmm: {table, columns}`) and learnt from a table.
    False: declared on one column (`- wait: {poisson: 3}`); its `draw` gives one column, named ''."""

    @staticmethod
    @abstractmethod
    def options(given: object) -> dict[str, Any]:
        """The options in full from what stands after the sampler's name; ValueError says what is wrong.

        For a fitted sampler `table`, `columns` and `by` are taken out before."""

    @staticmethod
    @abstractmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """What is learned from the rows of a table (empty for a declared sampler).

        Raises ValueError where the table is too small or of the wrong kinds."""

    @staticmethod
    @abstractmethod
    def width(arrays: Arrays) -> int:
        """The number of uniform numbers that one row takes."""

    @staticmethod
    @abstractmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        """Columns of n rows from `u` of shape (n, width), every number in (0, 1)."""
