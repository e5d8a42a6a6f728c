"""Sequential trees: every column is drawn given those before it, from the rows in one leaf.

Nowok, Raab, Dibben (2016), synthpop. A column has several trees, each grown on a part of the
rows, and a row takes its leaf from one of them by lot: that draws from the forest's conditional
distribution (Meinshausen 2006), which follows the noise of the table less than one tree does.
Values are observed values, so margins, grids, bounds and missing values keep themselves, and
mixed tables suit it best; rows are new combinations, but each value is some real row's.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.sampling import arguments, normal, packed
from builder.sampling.sampler import Arrays, Floats, Options
from builder.stats import threads
from builder.table.tables import Column, Table

LEAF = 5  # the fewest rows in a leaf, as synthpop has it
DEEPEST = 40
PART = 0.7  # the share of the rows that each of several trees sees


class Cart:
    """`cart: {table, columns, leaf, trees}`."""

    fitted: ClassVar[bool] = True

    @staticmethod
    def options(given: object) -> dict[str, Any]:
        """leaf: the fewest rows from which a value is drawn; trees: how many a column has.

        Without trees, 10, or 30 under 2,000 rows; 1 is the classic method.
        """
        options = arguments.named("cart", given, (), ("leaf", "trees"))
        counts = {word: arguments.whole("cart", word, value) for word, value in options.items()}
        for word, value in counts.items():
            if value < 1:
                raise ValueError(f"cart: {word} is at least 1, not {value}")
        return {"leaf": LEAF} | counts

    @staticmethod
    def fit(table: Table, options: Options, rng: np.random.Generator) -> Arrays:
        """The packed table and the trees of every column. ValueError under two leaves' rows."""
        leaf = options["leaf"]
        if len(table) < 2 * leaf:
            raise ValueError(f"cart needs at least {2 * leaf} rows; here are {len(table)}")
        trees = options.get("trees", 30 if len(table) < 2000 else 10)
        return _fit(packed.canonical(table), leaf, trees, rng)

    @staticmethod
    def width(arrays: Arrays) -> int:
        return len(arrays["names"])

    @staticmethod
    def draw(arrays: Arrays, u: Floats) -> dict[str, Column]:
        """n rows; column j is taken from the table's rows in the leaf that columns < j lead to."""
        columns: dict[str, Column] = {}
        n, d = u.shape
        before = np.zeros((d, n), dtype=np.int32)
        for j, (name, kind) in enumerate(packed.headed(arrays)):
            seen = before[:j]
            for c in range(j):
                if f"places{j}_{c}" in arrays:
                    if seen.base is before:
                        seen = seen.copy()
                    seen[c] = arrays[f"places{j}_{c}"][before[c]]
            roots = arrays[f"roots{j}"]
            which = u[:, j] * len(roots)
            tree = np.minimum(which.astype(np.int64), len(roots) - 1)
            leaves = _descend(arrays, j, seen, roots[tree].astype(np.int64))
            first, count = arrays[f"first{j}"][leaves], arrays[f"count{j}"][leaves]
            # The rest of the number that chose the tree chooses the row.
            rows = first + np.minimum(((which - tree) * count).astype(np.int64), count - 1)
            donors = arrays[f"donors{j}"][rows]
            before[j] = arrays["codes"][donors, j]
            columns[name] = Column(name, kind, packed.values(arrays, j, donors))
        return columns


@threads.single()
def _fit(table: Table, leaf: int, trees: int, rng: np.random.Generator) -> Arrays:
    codes = _codes(table)
    arrays = packed.pack(table) | {"codes": codes}
    for j, column in enumerate(table.columns.values()):
        target = _target(column, codes[:, j])
        places = _places(table, codes, target, j)
        arrays |= {f"places{j}_{c}": place for c, place in places.items()}
        arrays |= _grow(codes, places, target, j, leaf, trees, rng)
    return arrays


def _codes(table: Table) -> NDArray[np.int32]:
    """(n, d): the rank of every value in its column, missing ones last."""
    codes = [np.unique(packed.ranked(c), return_inverse=True)[1] for c in table.columns.values()]
    return np.column_stack(codes).astype(np.int32)


def _target(column: Column, codes: NDArray[np.int32]) -> Floats:
    """What a tree predicts, (n, m): normal scores of numbers, indicators of categories.

    Numbers of which some are missing have two: the score, and whether there is one, which
    counts less, so that values missing by chance do not hide what the others depend on.
    """
    if not column.numeric:
        return np.eye(int(codes.max()) + 1)[codes]
    known = ~np.isnan(column.values)
    place = codes[known]
    scores = np.zeros(len(codes))
    if len(place):
        ranked = normal.quantile((np.argsort(np.argsort(place, kind="stable")) + 0.5) / len(place))
        scores[known] = (np.bincount(place, ranked) / np.maximum(np.bincount(place), 1))[place]
    return scores[:, None] if known.all() else np.column_stack([scores, known])


def _places(
    table: Table, codes: NDArray[np.int32], target: Floats, j: int
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
    places = {}
    for c, column in enumerate(list(table.columns.values())[:j]):
        if not column.numeric:
            mean = np.bincount(codes[:, c], line) / np.maximum(np.bincount(codes[:, c]), 1)
            places[c] = np.argsort(np.argsort(mean, kind="stable")).astype(np.int32)
    return places


def _grow(
    codes: NDArray[np.int32],
    places: Mapping[int, NDArray[np.int32]],
    target: Floats,
    j: int,
    leaf: int,
    trees: int,
    rng: np.random.Generator,
) -> Arrays:
    """The trees of column j, their nodes in one list.

    Per node a feature (-1 in a leaf), a threshold, two children, and where its rows begin in
    `donors` and how many they are; `roots` are the first nodes.
    """
    with extras.importing("stats"):
        from sklearn.tree import DecisionTreeRegressor

    n = len(codes)
    if j == 0:
        order = np.argsort(codes[:, 0], kind="stable")
        single = {"roots": 0, "feature": -1, "threshold": 0, "first": 0, "count": n}
        return {f"{name}{j}": np.array([value], np.int32) for name, value in single.items()} | {
            f"children{j}": np.zeros((1, 2), np.int32),
            f"donors{j}": order.astype(np.int32),
        }
    seen = codes[:, :j].astype(np.float32)
    for c, place in places.items():
        seen[:, c] = place[codes[:, c]]
    grown: dict[str, list[NDArray[Any]]] = {}
    nodes = 0
    for t in range(trees):
        bag = np.sort(rng.permutation(n)[: int(PART * n)]) if trees > 1 else np.arange(n)
        # On indicators the squared error is Gini's impurity, so one kind of tree serves all.
        model = DecisionTreeRegressor(
            min_samples_leaf=leaf, max_depth=DEEPEST, random_state=int(rng.integers(2**31))
        )
        tree, at = model.fit(seen[bag], target[bag]).tree_, model.apply(seen)
        count = np.bincount(at, minlength=tree.node_count)
        parts: dict[str, NDArray[Any]] = {
            "roots": np.array([nodes]),
            "feature": np.where(tree.children_left >= 0, tree.feature, -1),
            # Features are whole numbers: left is x <= floor(threshold).
            "threshold": np.floor(tree.threshold),
            "children": np.column_stack([tree.children_left, tree.children_right]) + nodes,
            "first": np.cumsum(count) - count + t * n,
            "count": count,
            "donors": np.lexsort((codes[:, j], at)),
        }
        for name, value in parts.items():
            grown.setdefault(name, []).append(value)
        nodes += tree.node_count
    return {f"{name}{j}": np.concatenate(values).astype(np.int32) for name, values in grown.items()}


def _descend(arrays: Arrays, j: int, seen: NDArray[np.int32], at: packed.Codes) -> packed.Codes:
    """The leaf (n,) of every row, from the codes (j, n) of the columns before."""
    feature, threshold = arrays[f"feature{j}"], arrays[f"threshold{j}"]
    children = arrays[f"children{j}"].ravel()
    n = len(at)
    node = at.copy()
    flat = seen.ravel()
    active = np.flatnonzero(feature[at] >= 0)
    at = at[active]
    while len(active):
        right = flat[feature[at].astype(np.int64) * n + active] > threshold[at]
        at = children[2 * at + right].astype(np.int64)
        inner = feature[at] >= 0
        node[active[~inner]] = at[~inner]
        active, at = active[inner], at[inner]
    return node
