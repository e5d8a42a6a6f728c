"""Splits of rows that are made from rows: each stands where its root stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests import projects

TABLE = "id,text,label\n" + "".join(f"{n},question {n},{'ab'[n % 2]}\n" for n in range(60))
SCHEMAS = """\
from pydantic import BaseModel


class Original(BaseModel):
    text: str
    label: str


class Reply(BaseModel):
    reply: str


class Pair(BaseModel):
    better: str
"""
OVER_TABLE = "from:\n  row: {table: ../real.csv, id: id, take: {text: asked, id: pid}}\n"
SPLITS = "splits = {train = 0.5, validation = 0.2, test = 0.3}\n"
FILES = {
    "real.csv": TABLE,
    "schemas/all.py": SCHEMAS,
    "scenarios/originals.yaml": "schema: Original\nmodel: none\nfill: [text, label]\n"
    "from:\n  row: {table: ../real.csv, id: id, take: [text, label]}\n",
    "scenarios/hot.yaml": "schema: Reply\n" + OVER_TABLE,
    "scenarios/cold.yaml": "schema: Reply\nrows: 2 each\n" + OVER_TABLE,
    "prompts/hot.j2": "Hotly: {{ row.text }}",
    "prompts/cold.j2": "Coldly: {{ row.text }}",
}


def written(folder: Path, settings: str, **files: str) -> Path:
    """The project over one table, with these settings and scenarios beside those that are there."""
    more = {f"scenarios/{name}.yaml": text for name, text in files.items()}
    prompts = {f"prompts/{name}.j2": "Judge {{ a.reply }} and {{ b.reply }}" for name in files}
    for name, text in {
        **FILES,
        **more,
        **prompts,
        "pyproject.toml": projects.SETTINGS + settings,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def by_split(folder: Path, dataset: str) -> dict[str, list[Mapping[str, Any]]]:
    """The exported rows of each split."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for file in sorted((folder / "outputs" / dataset / "data").glob("*.parquet")):
        rows.setdefault(file.name.partition("-")[0], []).extend(
            pyarrow.parquet.read_table(file).to_pylist()
        )
    return rows


def sides(rows: Mapping[str, list[Mapping[str, Any]]], source: str) -> dict[str, str]:
    """Where the rows stand that each row of a source became; an error where in several."""
    stand: dict[str, str] = {}
    for split, listed in rows.items():
        for row in listed:
            assert stand.setdefault(row["_from"][source], split) == split
    return stand


def run(folder: Path) -> None:
    ran = projects.run(folder, "run", "--quiet")
    assert ran.code == 0, ran.err


def test_paraphrases_of_a_labelled_table_stay_beside_their_originals(tmp_path: Path) -> None:
    datasets = ("originals", "hot", "cold")
    settings = "".join(f"[tool.builder.datasets.{name}]\n{SPLITS}" for name in datasets)
    run(written(tmp_path, settings))
    originals, hot, cold = (sides(by_split(tmp_path, name), "row") for name in datasets)
    assert len(originals) == 60
    assert set(originals.values()) == {"train", "validation", "test"}
    assert originals == hot == cold


def test_what_is_made_from_originals_inherits_their_splits(tmp_path: Path) -> None:
    settings = f"[tool.builder.datasets.originals]\n{SPLITS}"
    again = "schema: Reply\nrows: 2 each\nfrom: {a: originals}\n"
    folder = written(tmp_path, settings, again=again)
    (folder / "prompts/again.j2").write_text("Again: {{ a.text }}", "utf-8")
    run(folder)
    stand = {
        row["_case"]: split for split, rows in by_split(folder, "originals").items() for row in rows
    }
    assert sides(by_split(folder, "again"), "a") == stand


PAIRS = "schema: Pair\nfrom:\n  a: {scenario: hot, take: [pid]}\n  b: {scenario: cold, on: pid}\n"


@pytest.mark.parametrize("through", ["", "dataset: none\n"], ids=["datasets", "levels in between"])
def test_pairs_from_two_scenarios_over_one_table_agree(through: str, tmp_path: Path) -> None:
    names = ("pairs",) if through else ("hot", "cold")
    settings = "".join(f"[tool.builder.datasets.{name}]\n{SPLITS}" for name in names)
    folder = written(tmp_path, settings, pairs=PAIRS)
    for name in ("hot", "cold"):
        path = folder / f"scenarios/{name}.yaml"
        path.write_text(path.read_text("utf-8") + through, "utf-8")
    run(folder)
    pairs = by_split(folder, "pairs")
    assert sum(map(len, pairs.values())) == 60
    assert len(pairs) == 3
    if not through:
        for name, source in (("hot", "a"), ("cold", "b")):
            stand = {
                row["_case"]: split
                for split, rows in by_split(folder, name).items()
                for row in rows
            }
            assert sides(pairs, source).items() <= stand.items()


@pytest.mark.parametrize("own", [True, False])
def test_a_row_beside_one_of_another_split_is_left_out_and_counted(
    own: bool, tmp_path: Path
) -> None:
    """Whether the splits are the dataset's own or those of what it is made from."""
    other = TABLE.replace("question", "answer")
    beside = "  b: {table: ../other.csv, id: id, on: {pid: id}}\n"
    first = "  a: {table: ../real.csv, id: id, take: {id: pid}}\n" if own else PAIRS.split("\n")[2]
    dataset = "pairs" if own else "hot"
    folder = written(
        tmp_path,
        f"[tool.builder.datasets.{dataset}]\n{SPLITS}",
        pairs=f"schema: Pair\nfrom:\n{first.rstrip()}\n{beside}",
    )
    (folder / "other.csv").write_text(other, "utf-8")
    (folder / "prompts/pairs.j2").write_text("Judge {{ a.id }} and {{ b.text }}", "utf-8")
    run(folder)
    rows = sum(map(len, by_split(folder, "pairs").values()))
    assert 0 < rows < 60
    assert f"b stands in another split ({60 - rows})" in projects.run(folder, "plan").out
