"""What `run`, `draw` and `show` print of a project, in this process."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from tests import projects

FAULTY = (
    projects.SETTINGS
    + "[tool.builder.providers.fake]\nfaults = {malformed = 1.0}\n[tool.builder.params]\nmax_tokens = 50\n"
)


def test_a_run_ends_with_what_its_folders_hold(tmp_path: Path) -> None:
    ran = projects.run(projects.write(tmp_path), "run")
    assert ran.code == 0
    assert re.search(r"^letter: 2 of 2 rows( \(.*\))?$", ran.err, re.MULTILINE)
    assert "2 replies" in ran.err
    assert ran.out.strip() == "outputs/letter"
    again = projects.run(tmp_path, "run")
    assert re.search(r"^letter: 2 of 2 rows( \(.*\))?$", again.err, re.MULTILINE)
    assert "asked: " not in again.err


def test_refused_answers_are_told_by_reason_and_short_rows_by_combination(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": FAULTY,
        "scenarios/letters.yaml": projects.SCENARIO + "rows: 3 each\ntries: 1\n",
    }
    ran = projects.run(projects.write(tmp_path, files), "run")
    assert ran.code == 5, ran.err
    assert "letter: 0 of 6 rows" in ran.err
    assert re.search(
        r"^  (\d+) answers rejected, all in letter/rejects.jsonl; most often:$",
        ran.err,
        re.MULTILINE,
    )
    assert re.search(r"^    \d+ × (parse|validate): ", ran.err, re.MULTILINE)
    assert re.search(r"^        e\.g\. ", ran.err, re.MULTILINE)
    assert (
        "  letters: 6 rows short in 2 combinations after all tries; `builder run --tries T` asks on"
    ) in ran.err
    rejected = projects.run(tmp_path, "show", "--rejects")
    assert rejected.code == 0, rejected.err


def test_a_plan_tells_what_keep_left_and_nothing_where_it_left_all(tmp_path: Path) -> None:
    ran = projects.run(projects.write(tmp_path), "plan")
    assert "keep left" not in ran.out + ran.err
    rules = "schema: Letter\nvary:\n  tone: [glad, sad]\nkeep: [tone == 'glad']\n"
    ran = projects.run(projects.write(tmp_path, {"scenarios/letters.yaml": rules}), "plan")
    assert "letters: keep left 1 of 2 combinations." in ran.out + ran.err


def test_drawn_values_are_printed_and_compared_with_their_table(tmp_path: Path) -> None:
    table = "amount,kind\n" + "".join(f"{i}.5,{'ab'[i % 2]}\n" for i in range(80))
    files = {
        "scenarios/letters.yaml": "schema: Letter\nrows: 9\ndraw:\n  - bootstrap: {table: t.csv}\n",
        "scenarios/t.csv": table,
        "prompts/letters.j2": "{{ amount }} {{ kind }}\n",
    }
    folder = projects.write(tmp_path, files)
    ran = projects.run(folder, "draw", "letters", "--rows", "30")
    assert ran.code == 0, ran.err
    assert "bootstrap on t.csv, 1,000 rows drawn" in ran.out
    assert "KS complement" in ran.out
    assert "100.0% of the rows are copies of real ones" in ran.out
    assert re.search(r"^amount +float +[01]\.\d{3} +[+-]0\.\d{3} +0\.0%$", ran.out, re.MULTILINE)
    assert re.search(r"^kind +category +[01]\.\d{3} +- +0\.0%$", ran.out, re.MULTILINE)
    listed = projects.run(folder, "draw", "letters", "--rows", "30", "--csv")
    values = list(csv.DictReader(io.StringIO(listed.out)))
    assert len(values) == 30
    assert all(f"{row['amount']},{row['kind']}" in table for row in values)
    plain = projects.write(tmp_path / "plain")
    ran = projects.run(plain, "draw", "letters", "--plot", "x.svg")
    assert not (plain / "x.svg").exists()
