"""Drawn values in a plan: by groups, under rules, in order, and with numpy alone once fitted."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import projects

pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow


def table() -> str:
    """60 rows of one region and 6 of another: amounts, whole numbers, dates, gaps."""
    rng = random.Random(4)
    lines = ["region,amount,steps,day,waited"]
    for region, count in (("华东", 60), ("华北", 6)):
        for _ in range(count):
            day = f"2026-03-{rng.randint(1, 28):02d}"
            waited = "" if rng.random() < 0.2 else rng.randint(0, 20)
            lines.append(
                f"{region},{rng.uniform(5, 95):.2f},{rng.randint(2, 9) * 5},{day},{waited}"
            )
    return "\n".join(lines) + "\n"


def project(folder: Path, sampler: str, *rules: str, rows: int = 60, axis: str = "") -> Path:
    """A project that draws by region."""
    words: dict[str, Any] = {
        "schema": "Letter",
        "rows": rows,
        "vary": {"region": ["华东", "华北", *([axis] if axis else [])]},
        "draw": [{sampler: {"table": "t.csv", "by": "region"}}],
        **({"keep": list(rules)} if rules else {}),
    }
    prompt = "{{ region }} {{ amount }} {{ steps }} {{ day }} {{ waited }}\n"
    return projects.write(
        folder,
        {
            "scenarios/t.csv": table(),
            "scenarios/letters.yaml": json.dumps(words, ensure_ascii=False),
            "prompts/letters.j2": prompt,
        },
    )


def drawn(folder: Path, *words: str) -> list[dict[str, str]]:
    ran = projects.run(folder, "draw", "letters", "--csv", *words)
    assert ran.code == 0, ran.err
    return list(csv.DictReader(io.StringIO(ran.out)))


@pytest.mark.parametrize("sampler", ["gmm", "copula", "cart", "fit"])
def test_a_group_too_small_for_a_fit_is_named_and_drawn_whole(tmp_path: Path, sampler: str) -> None:
    folder = project(tmp_path, sampler)
    planned = projects.run(folder, "plan")
    assert planned.code == 0, planned.err
    assert "region '华北': " in planned.out + planned.err
    assert f"its 6 rows are drawn whole (bootstrap) instead of by {sampler}" in planned.out
    real = list(csv.DictReader(io.StringIO(table())))
    for row in drawn(folder):
        assert row["region"] == "华东" or {k: row[k] for k in real[0]} in real
        assert 5 <= float(row["amount"]) <= 95
        assert int(row["steps"]) % 5 == 0
        assert "2026-03-01" <= row["day"] <= "2026-03-28"
        assert row["waited"] == "" or 0 <= int(row["waited"]) <= 20


def test_fidelity_is_of_what_each_group_is_drawn_from(tmp_path: Path) -> None:
    ran = projects.run(project(tmp_path, "fit"), "draw", "letters")
    assert ran.code == 0, ran.err
    assert "'华东': chose " in ran.out
    assert "'华北': chose " not in ran.out
    assert "classifier AUC" in ran.out


def test_more_rows_and_another_axis_value_leave_earlier_draws_as_they_were(tmp_path: Path) -> None:
    folder = project(tmp_path, "cart", "amount <= 80")
    few = drawn(folder, "--rows", "20")
    assert drawn(folder, "--rows", "20") == few
    many = drawn(folder, "--rows", "200")
    assert all(row in many for row in few)
    project(folder, "cart", "amount <= 80", axis="华南")
    (folder / "scenarios/t.csv").write_text(
        table() + "".join(f"华南,{i}.5,10,2026-03-02,1\n" for i in range(20)), "utf-8"
    )
    grown = drawn(folder, "--rows", "300")
    assert all(row in grown for row in few)


def test_the_order_of_the_rows_of_a_table_moves_no_draw(tmp_path: Path) -> None:
    folder = project(tmp_path, "gmm")
    before = drawn(folder)
    head, *rows = table().splitlines()
    random.Random(1).shuffle(rows)
    (folder / "scenarios/t.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    assert drawn(folder) == before


def test_how_many_draws_a_rule_lets_pass_is_said(tmp_path: Path) -> None:
    folder = project(tmp_path, "cart", "amount <= 50")
    planned = projects.run(folder, "plan")
    assert "of the draws pass" in planned.out
    assert all(float(row["amount"]) <= 50 for row in drawn(folder))


def test_a_rule_that_hardly_a_draw_passes_is_an_error_at_its_place(tmp_path: Path) -> None:
    folder = project(tmp_path, "cart", "amount + steps + noise <= 20")
    words = json.loads((folder / "scenarios/letters.yaml").read_text("utf-8"))
    words["draw"].append({"noise": {"uniform": [0, 2000]}})
    (folder / "scenarios/letters.yaml").write_text(json.dumps(words), "utf-8")
    planned = projects.run(folder, "plan")
    assert planned.code == 2
    assert planned.err.startswith("error: scenarios/letters.yaml:1:")
    assert "draws" in planned.err


@pytest.mark.parametrize("sampler", ["bootstrap", "gmm", "copula", "cart", "fit"])
def test_once_fitted_a_plan_imports_neither_scipy_nor_scikit_learn(
    tmp_path: Path, sampler: str
) -> None:
    folder = project(tmp_path, sampler, "amount <= 80")
    script = (
        "import sys; from builder import cli; sys.argv = ['builder', 'plan']\n"
        "try: cli.main()\n"
        "finally: assert not {'scipy', 'sklearn', 'threadpoolctl'} & set(sys.modules), 'heavy'\n"
    )
    assert projects.run(folder, "plan").code == 0
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


ODD: dict[str, list[tuple[Any, Any]]] = {
    "constant": [(5, n % 47) for n in range(60)],
    "empty": [("", n % 47) for n in range(60)],
    "collinear": [(n, 2 * n + 1) for n in range(60)],
    "nearly empty": [(n if n < 4 else "", n % 47) for n in range(60)],
    "one word": [("tea", n % 47) for n in range(60)],
    "one that differs": [(5 + (n == 30), n % 47) for n in range(60)],
    "constant dates": [("2026-03-01", n % 47) for n in range(60)],
}


@pytest.mark.parametrize("sampler", ["copula", "gmm", "cart", "fit", "bootstrap"])
@pytest.mark.parametrize("odd", list(ODD))
def test_a_column_with_little_or_nothing_in_it_is_drawn_as_it_is(
    tmp_path: Path, odd: str, sampler: str
) -> None:
    lines = "".join(f"{a},{b}\n" for a, b in ODD[odd])
    words = {"schema": "Letter", "rows": 40, "draw": [{sampler: {"table": "t.csv", "columns": ["a", "b"]}}]}  # fmt: skip
    folder = projects.write(
        tmp_path,
        {
            "scenarios/t.csv": f"a,b\n{lines}",
            "scenarios/letters.yaml": json.dumps(words),
            "prompts/letters.j2": "{{ a }} {{ b }}\n",
        },
    )
    rows = drawn(folder, "--rows", "40")
    assert len(rows) == 40
    values, known = {row["a"] for row in rows}, {str(a) for a, _ in ODD[odd]}
    assert len(known) > 3 or values <= known
    assert all(value == "" or value in known or 0 <= int(value) <= 59 for value in values)
    assert all(0 <= int(row["b"]) <= 119 for row in rows)
    if odd == "collinear":  # a leaf of cart holds a quarter of so small a table at most
        assert all(abs(int(row["b"]) - 2 * int(row["a"]) - 1) <= 30 for row in rows)
