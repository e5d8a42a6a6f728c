"""The walk of one row: what it is made from, each try, what would ask it again, what hangs on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import builder
from builder.records import Call, Completion
from builder.verbs.why import WhyResult
from tests import projects

SCHEMAS = """\
from pydantic import BaseModel, Field


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)


class Reply(BaseModel):
    reply: str = Field(min_length=5, max_length=80)


class Pair(BaseModel):
    text: str
    reply: str
"""
PEOPLE = "id,name,town\np1,Ann,Bath\np2,Bob,York\n"
CHAIN = {
    "schemas/letters.py": SCHEMAS,
    "tables/people.csv": PEOPLE,
    "scenarios/letters.yaml": (
        "schema: Letter\nfrom:\n  who: {table: ../tables/people.csv, id: id, take: [name]}\n"
        "vary:\n  tone: [glad, sad]\n"
    ),
    "scenarios/replies.yaml": (
        "schema: Reply\nrows: 2 each\nfrom:\n  letter: {scenario: letters, take: [name]}\n"
    ),
    "scenarios/pairs.yaml": (
        "schema: Pair\nmodel: none\nfill: [text, reply]\nfrom:\n"
        "  b: {scenario: replies, take: [reply, name]}\n"
        "  a: {scenario: letters, on: {name: name}, take: [text]}\n"
    ),
    "prompts/letters.j2": "A {{ tone }} letter of {{ who.name }}.\n",
    "prompts/replies.j2": "Answer it: {{ letter.text }}\n",
}


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    folder = projects.write(tmp_path, CHAIN)
    builder.open(folder).run()
    return folder


def walk(folder: Path, word: str) -> WhyResult:
    return builder.open(folder).why(word)


def test_a_row_leads_to_the_table_and_the_id_at_its_root(chain: Path) -> None:
    row = projects.rows(chain, "pairs")[0]
    by_source = {origin.source: origin for origin in walk(chain, row["_case"]).origins}
    assert {name: origin.id for name, origin in by_source.items()} == row["_from"]
    (letter,) = by_source["b"].origins
    (root,) = letter.origins
    assert (by_source["b"].scenario, letter.scenario) == ("replies", "letters")
    people = {"Ann": "p1", "Bob": "p2"}
    assert (root.source, root.file, root.id) == ("who", "tables/people.csv", people[row["name"]])
    assert by_source["a"].origins[0].id == root.id
    out = projects.run(chain, "why", row["_case"]).out
    assert f"         who  {root.id}  tables/people.csv" in out.splitlines()


def test_a_key_names_the_same_row_as_its_case(chain: Path) -> None:
    for dataset in ("letters", "replies", "pairs"):
        row = projects.rows(chain, dataset)[0]
        outs = [projects.run(chain, "why", row[name]).out for name in ("_case", "_key")]
        assert outs[0] == outs[1] != ""


def test_all_that_is_made_from_a_row_is_counted_by_scenario(chain: Path) -> None:
    letter = projects.rows(chain, "letters")[0]
    result = walk(chain, letter["_case"])
    replies = [r for r in projects.rows(chain, "replies") if letter["_case"] in r["_from"].values()]
    reached = {letter["_case"], *(reply["_case"] for reply in replies)}
    pairs = [r for r in projects.rows(chain, "pairs") if reached & {*r["_from"].values()}]
    counts = [(d.scenario, d.depth, d.cases, d.rows) for d in result.dependents]
    assert counts == [("replies", 1, 2, 2), ("pairs", 2, len(pairs), len(pairs))]
    assert set(result.dependents[0].ids) == {reply["_case"] for reply in replies}
    assert walk(chain, pairs[0]["_case"]).dependents == ()


def test_the_printed_fields_of_the_rows_upstream_are_what_the_key_follows_from(
    chain: Path,
) -> None:
    letter, pair = (projects.rows(chain, name)[0] for name in ("letters", "pairs"))
    basis = walk(chain, letter["_case"]).trace.basis
    assert basis.prompt == ("prompts/letters.j2",)
    assert basis.names == ("tone", "who.name")
    assert (basis.schema, basis.model) == ("Letter in schemas/letters.py", "fake:any")
    nobody = walk(chain, pair["_case"])
    assert (nobody.trace.basis.prompt, nobody.trace.basis.names) == ((), ("text", "reply"))
    assert json.loads(nobody.tries[0].reply.text) == {"text": pair["text"], "reply": pair["reply"]}


def test_each_reply_is_told_with_its_verdict(tmp_path: Path) -> None:
    """A short answer, a cut-off reply, then a row: a reply that is no answer uses up no try."""
    asked: dict[int, int] = {}

    def script(call: Call) -> str | Completion:
        number = asked[call.key.attempt] = asked.get(call.key.attempt, 0) + 1
        if call.key.attempt == 0:
            return '{"text": "no"}'
        if number == 1:
            return Completion(call.key, "cut of", "fake:any", stop="length", stop_reason="max")
        return '{"text": "Dear Ann"}'

    folder = projects.write(tmp_path, {"scenarios/letters.yaml": "schema: Letter\n"})
    result = builder.open(folder).run(engine=builder.Fake(script))
    assert result.rows == 1 or builder.open(folder).run(engine=builder.Fake(script)).rows == 1
    (row,) = projects.rows(folder)
    tries = walk(folder, row["_case"]).tries
    assert [entry.verdict for entry in tries] == ["validate", "no answer", "row"]
    assert [entry.key.attempt for entry in tries] == [0, 1, 1]
    assert "text: string should have at least 5" in tries[0].reason
    assert str(tries[2].key) == row["_key"]
    document = json.loads(projects.run(folder, "why", row["_case"], "--json").out)
    assert [entry["stop"] for entry in document["tries"]] == ["end", "length", "end"]
    assert (document["fate"], document["made_from"]) == ("row", [])


def test_a_case_without_a_row_is_open_spent_or_refused(tmp_path: Path) -> None:
    folder = projects.write(tmp_path, CHAIN)
    (open_case, *_) = projects.keys(folder).values()
    result = walk(folder, open_case["case"])
    assert (result.fate.kind, result.tries, result.dependents) == ("open", (), ())
    assert result.fate.why == "a run asks for try 1 of 3"
    builder.open(folder).run("letters", engine=builder.Fake(lambda call: '{"text": "no"}'))
    result = walk(folder, open_case["case"])
    assert result.fate.kind == "refused"
    assert [entry.verdict for entry in result.tries] == ["validate"] * 3
    bare = projects.write(tmp_path / "bare")
    builder.open(bare).run(engine=builder.Fake(lambda call: '{"text": "no"}'))
    first = next(iter(projects.keys(bare).values()))["case"]
    assert walk(bare, first).fate.kind == "spent"


def test_a_copy_on_another_side_of_a_split_is_told_as_none(tmp_path: Path) -> None:
    splits = "[tool.builder.datasets.letter]\nsplits = {train = 0.5, test = 0.5}\n"
    folder = projects.write(
        tmp_path,
        {
            "pyproject.toml": projects.SETTINGS + splits,
            "scenarios/letters.yaml": "schema: Letter\nrows: 6\n",
        },
    )
    builder.open(folder).run(engine=builder.Fake(lambda call: '{"text": "Dear Ann"}'))
    walks = [walk(folder, case["case"]) for case in projects.keys(folder).values()]
    fates = [result.fate.kind for result in walks]
    assert sorted(fates) == ["refused"] * 5 + ["row"]
    copy = walks[fates.index("refused")]
    assert copy.tries[-1].verdict == "similar"
    assert copy.trace.split == ""


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("letter 1", "'letter 1' is neither a _case (16 hex digits) nor a _key"),
        ("0123456789abcdef", "no case 0123456789abcdef in the plan."),
        (f"{'ab' * 16}-0-0", f"no case of the plan has the key {'ab' * 16}-0-0"),
    ],
)
def test_a_word_that_is_no_case_is_one_line_and_how_to_find_one(
    chain: Path, word: str, says: str
) -> None:
    ran = projects.run(chain, "why", word)
    assert (ran.code, ran.out) == (2, "")
    head, hint = ran.err.splitlines()
    assert head.startswith(f"error: {says}")
    assert "builder show DATASET" in hint
    case = projects.rows(chain, "letters")[0]["_case"]
    assert case in projects.run(chain, "show", "letters").out


def test_a_slip_in_a_case_is_answered_by_the_nearest(chain: Path) -> None:
    case = projects.rows(chain, "replies")[0]["_case"]
    slip = case[:-1] + ("0" if case[-1] != "0" else "1")
    assert f"Did you mean '{case}'?" in projects.run(chain, "why", slip).err


def test_an_answer_from_before_an_edit_is_told_as_such(chain: Path) -> None:
    key = projects.rows(chain, "letters")[0]["_key"]
    projects.write(chain, {**CHAIN, "prompts/letters.j2": "{{ who.name }}'s letter: {{ tone }}.\n"})
    ran = projects.run(chain, "why", key)
    assert ran.code == 2
    assert f"is held under {key}, and no case of the plan asks for it" in ran.err


def test_a_row_of_a_trial_is_walked_with_its_model(tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    workspace = builder.open(folder)
    workspace.run(rows=1, model="fake:other")
    row = next(iter(workspace.show(rows=1, model="fake:other")))
    assert workspace.why(row["_key"], rows=1, model="fake:other").fate.kind == "row"
    assert workspace.why(row["_case"]).fate.kind == "open"


def test_a_walk_asks_and_writes_nothing(chain: Path) -> None:
    case = projects.rows(chain, "letters")[0]["_case"]
    before = {file: file.read_bytes() for file in chain.rglob("outputs/**/*") if file.is_file()}
    repr_ = repr(walk(chain, case))
    after = {file: file.read_bytes() for file in chain.rglob("outputs/**/*") if file.is_file()}
    assert before == after
    assert repr_ == f"<WhyResult: letters {case}: row, accepted at try 1>"
