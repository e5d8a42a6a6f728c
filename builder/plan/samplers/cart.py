"""Sequential trees: every column is drawn given those before it, from the rows in one leaf.

Nowok, Raab, Dibben (2016), synthpop; trees as Breiman et al. (1984). Values are observed
values, so margins, grids, bounds and missing values keep themselves, and mixed tables suit it
best; rows are new combinations, but each value is some real row's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder.plan.samplers import normal, packed
from builder.plan.samplers import options as read
from builder.plan.samplers.packed import Codes
from builder.plan.samplers.protocol import Arrays
from builder.plan.tables import Column, Table

LEAF = 5
"""The fewest rows in a leaf, as synthpop has it."""
DEEPEST = 40


class Cart:
    """`cart: {table, columns, leaf}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: Any) -> dict[str, Any]:
        """leaf: the fewest rows from which a value is drawn."""
        options = read.named("cart", given, (), ("leaf",))
        leaf = read.whole("cart", "leaf", options.get("leaf", LEAF))
        if leaf < 1:
            raise ValueError(f"cart: leaf is at least 1, not {leaf}")
        return {"leaf": leaf}

    @staticmethod
    def fit(table: Table, options: Mapping[str, Any], rng: np.random.Generator) -> Arrays:
        """The packed table and one tree a column. ValueError under two leaves' rows."""
        leaf = options["leaf"]
        if len(table) < 2 * leaf:
            raise ValueError(f"cart needs at least {2 * leaf} rows; here are {len(table)}")
        ordered = packed.canonical(table)
        codes = _codes(ordered)
        arrays = packed.pack(ordered) | {"codes": codes}
        for j, column in enumerate(ordered.columns.values()):
            target = _target(column, codes[:, j])
            places = _places(ordered, codes, target, j)
            arrays |= {f"places{j}_{c}": place for c, place in places.items()}
            arrays |= _grow(codes, places, target, j, leaf, int(rng.integers(2**31)))
        return arrays

    @staticmethod
    def width(arrays: Arrays) -> int:
        """One for each column."""
        return len(arrays["names"])

    @staticmethod
    def draw(arrays: Arrays, u: NDArray[np.float64]) -> dict[str, Column]:
        """n rows; column j is taken from the table's rows in the leaf that columns < j lead to."""
        found: dict[str, Column] = {}
        n, d = u.shape
        before = np.zeros((d, n), dtype=np.int32)
        for j, (name, kind) in enumerate(packed.headed(arrays)):
            seen = before[:j]
            for c in range(j):
                if f"places{j}_{c}" in arrays:
                    if seen.base is before:
                        seen = seen.copy()
                    seen[c] = arrays[f"places{j}_{c}"][before[c]]
            leaves = _descend(arrays, j, seen, n)
            first, count = arrays[f"first{j}"][leaves], arrays[f"count{j}"][leaves]
            rows = first + np.minimum((u[:, j] * count).astype(np.int64), count - 1)
            donors = arrays[f"donors{j}"][rows]
            before[j] = arrays["codes"][donors, j]
            found[name] = Column(name, kind, packed.values(arrays, j, donors))
        return found


def _codes(table: Table) -> NDArray[np.int32]:
    """(n, d): the rank of every value in its column, missing ones last."""
    found = []
    for column in table.columns.values():
        if column.kind == "category":
            codes, texts = packed.coded(column)
            found.append(np.where(codes < 0, len(texts), codes))
        else:
            found.append(np.unique(column.values + 0.0, return_inverse=True)[1])
    return np.column_stack(found).astype(np.int32)


def _target(column: Column, codes: NDArray[np.int32]) -> NDArray[np.float64]:
    """What a tree predicts, (n, m): normal scores of numbers, indicators of categories."""
    if column.kind == "category":
        return np.eye(int(codes.max()) + 1)[codes]
    order = np.argsort(codes, kind="stable")
    n = len(codes)
    scores = np.empty(n)
    scores[order] = normal.quantile((np.arange(n) + 0.5) / n)
    means = np.bincount(codes, scores) / np.bincount(codes)
    # Missing values stand far off, so that the first splits part them from the rest.
    found = np.where(np.isnan(column.values), 8.0, means[codes])
    return found[:, None]


def _places(
    table: Table, codes: NDArray[np.int32], target: NDArray[np.float64], j: int
) -> dict[int, NDArray[np.int32]]:
    """For each category before column j, the place of every code in the order best to split.

    Categories in the order of the target's mean, or of its first principal component where
    the target has several (Coppersmith, Hong, Hosking 1999).
    """
    centred = target - target.mean(axis=0)
    line = centred[:, 0]
    if target.shape[1] > 1:
        axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        line = centred @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
    found = {}
    for c, column in enumerate(list(table.columns.values())[:j]):
        if column.kind == "category":
            mean = np.bincount(codes[:, c], line) / np.maximum(np.bincount(codes[:, c]), 1)
            place = np.empty(len(mean), dtype=np.int32)
            place[np.argsort(mean, kind="stable")] = np.arange(len(mean))
            found[c] = place
    return found


def _grow(
    codes: NDArray[np.int32],
    places: Mapping[int, NDArray[np.int32]],
    target: NDArray[np.float64],
    j: int,
    leaf: int,
    seed: int,
) -> Arrays:
    """The tree of column j: per node a feature, a threshold, its children and its rows."""
    n = len(codes)
    if j == 0:
        order = np.argsort(codes[:, 0], kind="stable")
        one = {"feature": [-1], "threshold": [0], "children": [[0, 0]], "first": [0], "count": [n]}
        arrays = {f"{name}{j}": np.array(value, dtype=np.int32) for name, value in one.items()}
        return arrays | {f"donors{j}": order.astype(np.int32)}
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    seen = codes[:, :j].astype(np.float32)
    for c, place in places.items():
        seen[:, c] = place[codes[:, c]]
    kind = DecisionTreeRegressor if target.shape[1] == 1 else DecisionTreeClassifier
    model = kind(min_samples_leaf=leaf, max_depth=DEEPEST, random_state=seed)
    model.fit(seen, target[:, 0] if target.shape[1] == 1 else target.argmax(axis=1))
    tree = model.tree_
    at = model.apply(seen)
    donors = np.lexsort((codes[:, j], at))
    count = np.bincount(at, minlength=tree.node_count)
    return {
        f"feature{j}": np.where(tree.children_left < 0, -1, tree.feature).astype(np.int32),
        # Features are whole numbers: left is x <= floor(threshold).
        f"threshold{j}": np.floor(tree.threshold).astype(np.int32),
        f"children{j}": np.column_stack([tree.children_left, tree.children_right]).astype(np.int32),
        f"first{j}": (np.cumsum(count) - count).astype(np.int32),
        f"count{j}": count.astype(np.int32),
        f"donors{j}": donors.astype(np.int32),
    }


def _descend(arrays: Arrays, j: int, seen: NDArray[np.int32], n: int) -> Codes:
    """The leaf (n,) of every row, from the codes (j, n) of the columns before."""
    feature, threshold = arrays[f"feature{j}"], arrays[f"threshold{j}"]
    children = arrays[f"children{j}"].ravel()
    node = np.zeros(n, dtype=np.int64)
    if feature[0] < 0:
        return node
    flat = seen.ravel()
    active = np.arange(n)
    at = node
    while len(active):
        right = flat[feature[at].astype(np.int64) * n + active] > threshold[at]
        at = children[2 * at + right].astype(np.int64)
        inner = feature[at] >= 0
        done = ~inner
        node[active[done]] = at[done]
        active, at = active[inner], at[inner]
    return node
