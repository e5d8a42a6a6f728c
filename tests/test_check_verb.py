from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError
from builder.project import expect
from builder.quality import gates
from tests import projects

pytestmark = pytest.mark.slow

WORDS = [
    "parcel",
    "courier",
    "late",
    "warehouse",
    "window",
    "address",
    "refund",
    "bank",
    "invoice",
    "charged",
    "screen",
    "cracked",
    "battery",
    "speaker",
    "hinge",
    "warranty",
    "repair",
    "morning",
    "evening",
    "neighbour",
    "garden",
    "shop",
    "letter",
    "phone",
    "never",
    "always",
    "twice",
    "again",
    "nobody",
    "somebody",
    "please",
    "thanks",
    "blue",
    "green",
    "heavy",
    "small",
    "open",
    "closed",
]
SCHEMA = """\
from typing import Literal
from pydantic import BaseModel, Field


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=300)
    mood: Literal["glad", "sad"]
"""
ORDERS = "scenarios/tables/orders.csv"
SCENARIO = """\
schema: Letter
rows: 200
vary:
  tone: [plain, sharp]
draw:
  - copula: {table: tables/orders.csv, columns: [amount, waited]}
"""
PROMPT = "A {{ tone }} letter over {{ amount }} after {{ waited }} days.\n"


def texts(n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=14)) for _ in range(n)]


def table(n: int, seed: int, *, shift: float = 0.0) -> str:
    rng = random.Random(seed)
    lines = [f"{rng.gauss(100 + shift, 20):.2f},{rng.randint(1, 40)}" for _ in range(n)]
    return "amount,waited\n" + "\n".join(lines) + "\n"


def site(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """A project with 200 rows held, whose letters differ."""
    projects.write(
        folder,
        {
            "scenarios/letters.yaml": SCENARIO,
            "prompts/letters.j2": PROMPT,
            "schemas/letters.py": SCHEMA,
            ORDERS: table(400, 1),
            **(files or {}),
        },
    )
    assert projects.run(folder, "run", "--quiet").code == 0
    return folder


def verdicts(ran: projects.Ran) -> dict[tuple[str, str], str]:
    return {(one["gate"], one["what"]): one["verdict"] for one in json.loads(ran.out)["findings"]}


def corpus(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def rows(n: int, seed: int, shift: float = 0.0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    labels = ["praise", "blame"]
    return [
        {"text": text, "amount": round(rng.gauss(50 + shift, 10), 2), "label": rng.choice(labels)}
        for text in texts(n, seed)
    ]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_anybodys_corpus_is_gated_without_a_project(ending: str, tmp_path: Path) -> None:
    ours = corpus(tmp_path / f"rows{ending}", rows(300, 1))
    fair = corpus(tmp_path / f"fair{ending}", rows(300, 2))
    moved = corpus(tmp_path / f"moved{ending}", rows(300, 3, shift=30))
    ran = projects.run(tmp_path, "check", ours.name, "--reference", fair.name)
    assert ran.code == 0, ran.out + ran.err
    assert "gates hold" in ran.out
    ran = projects.run(tmp_path, "check", ours.name, "--reference", moved.name, "--json", "-")
    assert ran.code == 1
    assert verdicts(ran)["drift.mean_shift", "amount"] == "fail"
    assert verdicts(ran)["drift.cramer", "label"] == "pass"
    ran = projects.run(tmp_path, "check", ours.name, "--reference", ours.name, "--json", "-")
    assert ran.code == 1
    assert verdicts(ran)["privacy.copied_texts", ""] == "fail"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in (ours, fair, moved)
    )


TEXTS = [f"the {a} {b} came back {c} again" for a in "abcdef" for b in "ghijk" for c in "lmno"]
LINES = "".join(json.dumps({"text": text, "n": len(text)}) + "\n" for text in TEXTS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom.jsonl", "\ufeff" + LINES),
        ("crlf.jsonl", LINES.replace("\n", "\r\n\r\n")),
        ("ragged.jsonl", LINES + '{"n": "n/a"}\n{}\n{"other": [[["x"]]]}\n'),
        ("deep.jsonl", LINES + '{"text": ' + "[" * 400 + '"x"' + "]" * 400 + "}\n"),
        ("semicolons.csv", "text;n\n" + "".join(f"{text};{len(text)}\n" for text in TEXTS)),
        ("tabs.csv", "text\tn\n" + "".join(f"{text}\t{len(text)}\n" for text in TEXTS)),
        ("row_numbers.csv", ",text\n" + "".join(f"{k},{text}\n" for k, text in enumerate(TEXTS))),
        ("set/data/train.jsonl", LINES),
        ("set/train.json", json.dumps([json.loads(line) for line in LINES.splitlines()])),
    ],
)
def test_rows_are_read_as_people_write_them(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    (path.parent / ".hidden.jsonl").write_text("no rows", "utf-8")
    (path.parent / "report.json").write_text("{}", "utf-8")
    target = path if path.parent == tmp_path else tmp_path / "set"
    found = projects.run(tmp_path, "check", str(target), "--json", "-")
    assert found.code in (0, 1), found.err
    assert json.loads(found.out)["rows"] in (len(TEXTS), len(TEXTS) + 1, len(TEXTS) + 3)
    assert ("diversity.distinct_2", "") in verdicts(found)


def test_numbers_that_only_count_the_rows_are_held_against_nothing(tmp_path: Path) -> None:
    for name, first in (("ours.csv", 1), ("theirs.csv", 5000)):
        listed = rows(200, first)
        corpus(tmp_path / name, [{"id": first + k, **row} for k, row in enumerate(listed)])
    ran = projects.run(tmp_path, "check", "ours.csv", "--reference", "theirs.csv", "--json", "-")
    assert ran.code == 0, ran.out
    assert {what for gate, what in verdicts(ran) if gate == "drift.js"} == {"amount", "label"}


def test_a_column_of_numbers_may_say_that_one_is_missing(tmp_path: Path) -> None:
    for name, seed in (("ours.csv", 1), ("theirs.csv", 2)):
        listed: list[dict[str, Any]] = rows(200, seed)
        for k, word in enumerate(("", "NA", "n/a", "NaN", "null", "None", "-")):
            listed[20 * k]["amount"] = word
        corpus(tmp_path / name, listed)
    ran = projects.run(tmp_path, "check", "ours.csv", "--reference", "theirs.csv", "--json", "-")
    assert verdicts(ran)["drift.mean_shift", "amount"] == "pass"


FLAT: dict[str, tuple[list[Any], list[Any], str]] = {
    "one word, other sizes": (["0"] * 200, ["0"] * 120, "pass"),
    "one number": ([5] * 200, [5] * 120, "pass"),
    "one number in decimals": ([0.1] * 200, [0.1] * 200, "pass"),
    "another number": ([7.0] * 200, [5.0] * 200, "fail"),
    "another word": (["tea"] * 200, ["rain"] * 200, "fail"),
    "yes alone": ([True] * 200, [True, False] * 100, "fail"),
    "nothing against numbers": ([None] * 200, list(range(200)), "none"),
    "numbers against nothing": (list(range(200)), [None] * 200, "none"),
    "nothing on both sides": ([None] * 200, [None] * 200, "none"),
    "one row a side": ([1], [2], "none"),
}


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("case", list(FLAT))
def test_a_column_of_one_value_or_none_drifts_where_it_moved_and_is_never_nan(
    case: str, ending: str, tmp_path: Path
) -> None:
    for name, cells, seed in (("ours", FLAT[case][0], 1), ("theirs", FLAT[case][1], 2)):
        listed = [{"text": text, "flag": cell}
                  for text, cell in zip(texts(len(cells), seed), cells, strict=True)]  # fmt: skip
        corpus(tmp_path / f"{name}{ending}", listed)
    words = ("check", f"ours{ending}", "--reference", f"theirs{ending}")
    ran = projects.run(tmp_path, *words, "--json", "-")
    assert ran.code in (0, 1), ran.err
    drift = {v for (gate, what), v in verdicts(ran).items() if gate.startswith("drift.") and what == "flag"}  # fmt: skip
    wanted = FLAT[case][2]
    assert ("fail" in drift) == (wanted == "fail"), drift
    assert ("pass" in drift) or wanted != "pass"
    assert "nan" not in projects.run(tmp_path, *words).out


def test_rows_that_no_gate_can_judge_are_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("n\n1.5\n2.5\n", "utf-8")
    assert "nothing to judge" in projects.run(tmp_path, "check", "rows.csv").out


def test_a_folder_is_a_corpus_and_its_report_goes_where_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "set" / "data").mkdir(parents=True)
    for split, seed in (("train", 1), ("test", 2)):
        corpus(tmp_path / "set" / "data" / f"{split}.jsonl", rows(80, seed))
    ran = projects.run(tmp_path, "check", "set", "--report", "out")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("set: 160 rows\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.html",
        "report.json",
    ]


def test_a_dataset_is_checked_as_it_would_be_now(tmp_path: Path) -> None:
    site(tmp_path)
    shutil.rmtree(tmp_path / "outputs" / "letter")
    ran = projects.run(tmp_path, "check", "Letter", "--json", "found.json")
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["dataset"] == "letter"
    assert found["rows"] == 200
    assert (ran.code == 0) == found["passed"]
    gates = {(one["gate"], one["what"]): one for one in found["findings"]}
    assert gates["coverage.combinations", ""]["value"] == 1
    assert gates["labels.shares", "tone"]["verdict"] == "pass"
    assert gates["drift.mean_shift", "amount"]["verdict"] == "pass"
    assert gates["privacy.copied_rows", "amount, waited"]["verdict"] == "pass"
    folder = tmp_path / "outputs" / "letter"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
    assert (folder / "report.json").read_bytes() == (tmp_path / "found.json").read_bytes()


def test_what_a_scenario_expects_goes_before_the_default(tmp_path: Path) -> None:
    drawn = SCENARIO.replace("copula", "bootstrap")
    site(tmp_path, {"scenarios/letters.yaml": drawn})
    ran = projects.run(tmp_path, "check", "letter", "--json", "-")
    assert ran.code == 1
    assert verdicts(ran)["privacy.copied_rows", "amount, waited"] == "fail"
    expected = f"{drawn}expect:\n  privacy: {{copied_rows: 200}}\n"
    (tmp_path / "scenarios" / "letters.yaml").write_text(expected, "utf-8")
    found = verdicts(projects.run(tmp_path, "check", "letter", "--json", "-"))
    assert found["privacy.copied_rows", "amount, waited"] == "pass"
    strict = f"{drawn}expect:\n  diversity: {{distinct_1: 0.99}}\n"
    (tmp_path / "scenarios" / "letters.yaml").write_text(strict, "utf-8")
    found = verdicts(projects.run(tmp_path, "check", "letter", "--json", "-"))
    assert found["diversity.distinct_1", ""] == "fail"


def test_each_scenario_is_held_to_its_own_expectations(tmp_path: Path) -> None:
    other = SCENARIO.replace("rows: 200", "prompt: letters\nrows: 120\nseed: 4")
    strict = f"{other}expect:\n  diversity: {{vendi: 5000}}\n  drift: {{ks: 0.3}}\n"
    site(tmp_path, {"scenarios/others.yaml": strict})
    found = verdicts(projects.run(tmp_path, "check", "letter", "--json", "-"))
    assert found["diversity.vendi", "others"] == "fail"
    assert found["diversity.vendi", ""] == "pass"
    assert found["diversity.vendi", "letters"] == "pass"
    assert found["drift.ks", "others: amount"] == "pass"
    assert found["drift.ks", "letters: amount"] == "pass"


def test_the_project_expects_something_of_all_scenarios(tmp_path: Path) -> None:
    settings = (
        projects.SETTINGS + "[tool.builder.datasets.letter]\n"
        f'expect = {{drift = {{table = "{ORDERS}"}}, privacy = {{placeholders = 0}}}}\n'
    )
    site(tmp_path, {"pyproject.toml": settings, ORDERS: table(400, 1)})
    ran = projects.run(tmp_path, "check", "--json", "-")
    (found,) = json.loads(ran.out)
    assert found["reference_rows"] == 400
    assert {one["what"] for one in found["findings"] if one["gate"] == "drift.ks"} == {
        "amount",
        "waited",
    }


def test_a_reference_of_texts_leaves_the_draws_to_their_table(tmp_path: Path) -> None:
    site(tmp_path)
    corpus(tmp_path / "real.jsonl", [{"text": text} for text in texts(120, 8)])
    found = verdicts(
        projects.run(tmp_path, "check", "letter", "--reference", "real.jsonl", "--json", "-")
    )
    assert found["drift.classifier", "text"] in ("pass", "warn")
    assert found["drift.ks", "amount"] == "pass"


def test_a_release_before_is_a_reference(tmp_path: Path) -> None:
    site(tmp_path)
    shutil.copytree(tmp_path / "outputs" / "letter", tmp_path / "before")
    ran = projects.run(tmp_path, "check", "letter", "--reference", "before", "--json", "-")
    assert ran.code == 0, ran.out
    found = verdicts(ran)
    assert found["drift.ks", "amount"] == "pass"
    assert ("coverage.reference", "text") in found
    # Rows that stayed are no leak; what the columns were drawn from is held apart as ever.
    assert ("privacy.copied_texts", "") not in found
    assert found["privacy.copied_rows", "amount, waited"] == "pass"
    other = projects.run(
        tmp_path, "check", "outputs/letter", "--reference", "before", "--json", "-"
    )
    assert ("privacy.copied_texts", "") not in verdicts(other)
    # The same files without their manifest are anybody's rows.
    (tmp_path / "before" / "manifest.json").unlink()
    ran = projects.run(tmp_path, "check", "letter", "--reference", "before", "--json", "-")
    assert verdicts(ran)["privacy.copied_texts", ""] == "fail"


def test_planned_draws_that_drift_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    kept = SCENARIO + "keep:\n  - amount > 100\n"
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": kept,
            "prompts/letters.j2": PROMPT,
            "schemas/letters.py": SCHEMA,
            ORDERS: table(400, 1),
        },
    )
    assert "drifts" not in projects.run(tmp_path, "plan").out
    expected = f"{kept}expect:\n  drift: {{ks: 0.2}}\n"
    (tmp_path / "scenarios" / "letters.yaml").write_text(expected, "utf-8")
    ran = projects.run(tmp_path, "plan")
    assert ran.code == 0
    assert "letters: planned amount drifts from its table: " in ran.out
    assert "planned waited" not in ran.out
    assert json.loads(projects.run(tmp_path, "plan", "--json").out)["drift"]
    loose = f"{kept}expect:\n  drift: {{ks: 1, js: 1, psi: 99, mean_shift: 9}}\n"
    (tmp_path / "scenarios" / "letters.yaml").write_text(loose, "utf-8")
    assert "drifts" not in projects.run(tmp_path, "plan").out


def test_drift_that_the_plan_asked_for_is_shown_and_not_judged(tmp_path: Path) -> None:
    site(tmp_path, {"scenarios/letters.yaml": SCENARIO + "keep:\n  - amount > 100\n"})
    ran = projects.run(tmp_path, "check", "letter", "--json", "-")
    found = {(one["gate"], one["what"]): one for one in json.loads(ran.out)["findings"]}
    assert found["drift.mean_shift", "amount"]["value"] > 0.5
    assert found["drift.mean_shift", "amount"]["verdict"] == "pass"
    assert found["drift.mean_shift", "amount"]["limit"] is None


def test_few_shot_texts_are_part_of_what_must_not_be_copied(tmp_path: Path) -> None:
    shots = "text\n" + "\n".join(texts(30, 5)) + "\n"
    scenario = (
        "schema: Letter\nrows: 120\nvary:\n  tone: [plain, sharp]\n"
        "draw:\n  - examples: {table: tables/orders.csv, n: 2}\n"
    )
    prompt = "A {{ tone }} letter like {% for one in shots %}{{ one.text }}{% endfor %}\n"
    site(
        tmp_path,
        {"scenarios/letters.yaml": scenario, "prompts/letters.j2": prompt, ORDERS: shots},
    )
    found = verdicts(projects.run(tmp_path, "check", "letter", "--json", "-"))
    assert found["privacy.copied_texts", ""] == "pass"
    assert found["privacy.verbatim", ""] == "pass"


def test_a_dataset_without_rows_fails_and_says_what_is_short(tmp_path: Path) -> None:
    projects.write(tmp_path)
    ran = projects.run(tmp_path, "check")
    assert ran.code == 1
    assert "coverage.combinations" in ran.out
    assert "short: glad, sad; run again" in ran.out


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (["rows.jsonl", "--reference", "gone.csv"], None, "gone.csv not found"),
        (["rows.jsonl", "--reference", "other.csv"], b"", "other.csv:1:1: no rows"),
        (
            ["rows.jsonl", "--reference", "other.csv"],
            b"a,b\n1\n",
            "other.csv:2:1: this row has 1 cells, the heading 2",
        ),
        (
            ["rows.jsonl", "--reference", "other.csv"],
            b"amout,n\n1,2\n",
            "other.csv:1:1: the reference shares no column with the rows. Did you mean 'amount'?",
        ),
        (
            ["rows.jsonl", "--reference", "other.csv"],
            "text\n好\n不好\n".encode("gb18030"),
            "other.csv:2:1: not UTF-8: byte 0xba",
        ),
        (["rows.jsonl", "--reference", "other.ods"], b"x", "rows are read from .parquet"),
        (["rows.jsonl", "--reference", "other.xlsx"], b"x", "other.xlsx:1:1: not a workbook"),
        (["gone.jsonl"], None, "gone.jsonl not found"),
        (["rows.jsnl"], None, "no dataset 'rows.jsnl'"),
        (["leter"], None, "no dataset 'leter'. Did you mean 'letter'?"),
        (["rows.jsonl", "--json", "no/such/folder.json"], None, "cannot write no/such/folder.json"),
    ],
)
def test_bad_input_is_named_with_its_place(
    words: list[str], content: bytes | None, said: str, tmp_path: Path
) -> None:
    projects.write(tmp_path)
    corpus(tmp_path / "rows.jsonl", rows(60, 1))
    if content is not None:
        (tmp_path / words[-1]).write_bytes(content)
    ran = projects.run(tmp_path, "check", *words)
    assert ran.code == (75 if "--json" in words else 2)
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not ran.out


def test_a_missing_package_is_one_line_that_names_its_extra(tmp_path: Path) -> None:
    corpus(tmp_path / "rows.jsonl", rows(120, 1))
    hidden = tmp_path / "hidden"
    for name in ("scipy", "onnxruntime"):
        (hidden / name).mkdir(parents=True)
        (hidden / name / "__init__.py").write_text(
            f"raise ModuleNotFoundError('none', name={name!r})\n", "utf-8"
        )
    path = os.pathsep.join([str(hidden), *sys.path])
    ran = projects.process(tmp_path, "check", "rows.jsonl", PYTHONPATH=path)
    assert ran.code == 2
    assert ran.err.startswith("error: scipy is not installed: this needs the extra `stats`\n")
    assert "pip install 'text-dataset-builder[stats]'" in ran.err
    ran = projects.process(tmp_path, "check", "rows.jsonl", "--semantic", PYTHONPATH=path)
    assert ran.code == 2
    assert "sentence vectors need the extra `semantic`" in ran.err


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom builder import cli\nsys.argv = ['builder', 'check', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'pyarrow', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--reference PATH" in done.stdout


POLITE = """
from builder.project.expect import Measure
from builder.quality.findings import Evidence, Finding, Limits


class Polite:
    name = "polite"
    asks = "do the texts ask kindly?"
    measures = (Measure("please", 0.9, upper=False, meaning="few texts hold a please"),)

    def __call__(self, evidence: Evidence, limits: Limits) -> list[Finding]:
        share = sum("please" in text for text in evidence.texts) / len(evidence.texts)
        return [limits.judge("polite.please", "", share, "ask for a please")]


class Fails(Polite):
    name = "fails"

    def __call__(self, evidence, limits):
        raise KeyError("gone")


class Bare(Polite):
    name = "bare"
    measures = ()


class Mute:
    name = "mute"
    asks = ""
    measures = Polite.measures


class Demanding(Polite):
    name = "demanding"

    def __init__(self, more):
        pass
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Puts a package with gates on the path, as if it were installed."""
    info = folder / "plugin" / "polite-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polite\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = polite_gates:{word}\n" for name, word in points.items()]
    (info / "entry_points.txt").write_text("[builder.gates]\n" + "".join(lines), "utf-8")
    (folder / "plugin" / "polite_gates.py").write_text(POLITE, "utf-8")
    monkeypatch.syspath_prepend(str(folder / "plugin"))
    monkeypatch.delitem(sys.modules, "polite_gates", raising=False)


def test_a_gate_of_another_package_enters_by_the_same_door_and_has_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path / "rows.jsonl", rows(120, 1))
    install(tmp_path, monkeypatch, polite="Polite", drift="Fails")
    assert list(gates.installed()) == [*expect.ORDER, "polite"]
    ran = projects.run(tmp_path, "check", "rows.jsonl")
    assert ran.code == 1
    assert "polite.please" in ran.out
    assert "ask for a please" in ran.out
    assert not list(expect.problems({"polite": {"please": 0.1}}))
    (problem,) = expect.problems({"polite": {"pleas": 0.1}})
    assert problem.message == "gate 'polite' measures no 'pleas'. Did you mean 'please'?"
    assert "please" in expect.json_schema()["properties"]["polite"]["properties"]


def test_a_scenario_sets_a_limit_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, polite="Polite")
    site(tmp_path)
    scenario = next((tmp_path / "scenarios").glob("*.yaml"))
    before = scenario.read_text("utf-8")
    for bound, code in ((0, 0), (0.9, 1)):
        limits = {"polite": {"please": bound}, "diversity": {"distinct_2": 0, "vendi": 0}}
        scenario.write_text(f"{before}expect: {json.dumps(limits)}\n", "utf-8")
        ran = projects.run(tmp_path, "check", "letter", "--json", "-")
        findings = json.loads(ran.out)["findings"]
        verdicts = [one["verdict"] for one in findings if one["gate"] == "polite.please"]
        assert set(verdicts) == {"fail" if code else "pass"}, ran.err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("Fails", "gate 'fails' (polite_gates) failed: KeyError: 'gone'"),
        ("Bare", "gate 'bare' of polite 1.0 (builder.gates: bare = polite_gates:Bare) does not fit: `measures` holds no"),
        ("Mute", "gate 'mute' of polite 1.0 (builder.gates: mute = polite_gates:Mute) does not fit: __call__ is missing"),
        ("Gone", "gate 'gone' of polite 1.0 (builder.gates: gone = polite_gates:Gone) does not load: AttributeError"),
        ("Demanding", "gate 'demanding' of polite 1.0 (builder.gates: demanding = polite_gates:Demanding) does not load: TypeError"),
    ],
)  # fmt: skip
def test_a_gate_of_another_package_that_does_not_fit_is_one_line_that_names_it(
    word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path / "rows.jsonl", rows(120, 1))
    install(tmp_path, monkeypatch, **{word.lower(): word})
    ran = projects.run(tmp_path, "check", "rows.jsonl")
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_gate_bears_the_name_of_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, own="Polite")
    with pytest.raises(InputError, match="its name is 'polite', unlike its entry point's"):
        gates.installed()


def test_built_in_gates_are_entry_points_of_this_package() -> None:
    import tomllib

    written = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    assert set(written["project"]["entry-points"]["builder.gates"]) == set(expect.ORDER)
    assert [gate.name for gate in gates.installed().values()] == list(expect.ORDER)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium here")
def test_a_browser_shows_the_report_of_a_dataset(tmp_path: Path) -> None:
    site(tmp_path)
    projects.run(tmp_path, "check", "letter")
    page = tmp_path / "outputs" / "letter" / "report.html"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1100,2400"]
    shot = tmp_path / "report.png"
    done = subprocess.run(
        [*command, f"--screenshot={shot}", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert shot.stat().st_size > 40_000


@pytest.mark.parametrize("values", [list(range(1, 31)), [1000 * k for k in range(1, 31)]])
def test_whole_numbers_of_an_axis_are_all_there_as_planned(
    tmp_path: Path, values: list[int]
) -> None:
    scenario = f"schema: Letter\nrows: 1 each\nvary:\n  year: {values}\n"
    projects.write(
        tmp_path, {"scenarios/letters.yaml": scenario, "prompts/letters.j2": "Write in {{ year }}."}
    )
    assert projects.run(tmp_path, "run").code == 0
    checked = projects.run(tmp_path, "check", "--json", "-")
    verdicts = {f["gate"]: f["verdict"] for f in json.loads(checked.out)[0]["findings"]}
    assert verdicts["coverage.combinations"] == "pass"
    assert verdicts["labels.shares"] == "pass"
