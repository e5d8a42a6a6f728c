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


def test_rows_are_shown_as_many_as_are_asked_for(tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    nothing = projects.run(folder, "show")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no rows yet; `builder run` asks for some" in nothing.err
    trial = projects.run(folder, "run", "--rows", "1", "--model", "fake:other")
    assert trial.code == 0, trial.err
    hinted = projects.run(folder, "show", "--rejects")
    assert "no rejects yet" in hinted.err
    assert "a trial has some:  builder show letter --model fake:other" in (
        hinted.err + projects.run(folder, "show").err
    )
    assert projects.run(folder, "run", "--quiet").err == ""
    shown = projects.run(folder, "show", "-n", "1")
    assert shown.code == 0, shown.err
    assert shown.out.count("── row ") == 1
    assert projects.run(folder, "show").out.count("── row ") == 2
    listed = projects.run(folder, "show", "--table")
    assert listed.out.splitlines()[0].split()[:1] != ["──"]
    assert "tone" in listed.out.splitlines()[0]


def test_an_export_prints_what_the_folders_hold_and_where_they_are(tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    assert projects.run(folder, "run", "--quiet").code == 0
    ran = projects.run(folder, "export", "letter")
    assert (ran.code, ran.out) == (0, "outputs/letter\n")
    assert ran.err.startswith("letter: 2 of 2 rows")
    assert projects.run(folder, "export", "--quiet").err == ""


def test_errors_end_with_a_line_and_a_code(tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    ran = projects.run(folder, "run", "--tries", "many")
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    ran = projects.run(folder, "diff", "nowhere", "nothing")
    assert ran.code == 2
    assert "no folder and no exported dataset 'nowhere'" in ran.err
    assert "Traceback" not in ran.err
    debugged = projects.run(folder, "diff", "nowhere", "nothing", "--debug")
    assert debugged.code == 2
