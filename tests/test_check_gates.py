from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import InputError
from builder.project import expect
from builder.quality import (
    findings,
    gates,
    labels,
    pii,
    report_file,
    reports,
)
from builder.table import frame
from builder.table.tables import CATEGORY, ID, TEXT

pytestmark = pytest.mark.slow


def table(n: int, seed: int, *, shift: float = 0.0) -> dict[str, list[Any]]:
    rng = np.random.default_rng(seed)
    known = ["".join(rng.choice(list("abcdefghijklmnop"), rng.integers(2, 9))) for _ in range(900)]
    return {
        "text": [" ".join(rng.choice(known, 14)) for _ in range(n)],
        "amount": rng.normal(100 + shift, 20, n).round(2).tolist(),
        "stars": rng.integers(1, 6, n).tolist(),
        "label": rng.choice(["praise", "blame"], n).tolist(),
        "_scenario": rng.choice(["calm", "angry"], n).tolist(),
    }


def run(
    rows: frame.Frame,
    reference: frame.Frame | None = None,
    expectations: Sequence[Mapping[str, Mapping[str, Any]]] = (),
    context: findings.Context | None = None,
) -> list[findings.Finding]:
    """The findings of all gates; later expectations win over earlier ones."""
    evidence = findings.Evidence(rows, reference, context or findings.Context())
    return gates.judge(evidence, findings.limits_of(*expectations))


def verdicts(found: list[findings.Finding]) -> dict[str, str]:
    """The worst verdict of each gate."""
    order = ("pass", "too-few-rows", "warn", "fail")
    worst: dict[str, str] = {}
    for one in found:
        held = worst.get(one.gate, "pass")
        worst[one.gate] = max(held, one.verdict, key=order.index)
    return worst


def both(seed: int = 0, n: int = 800) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    whole = table(2 * n, seed)
    return {k: v[:n] for k, v in whole.items()}, {k: v[n:] for k, v in whole.items()}


def test_a_sample_of_the_reference_distribution_passes_every_gate() -> None:
    ours, theirs = both()
    found = run(frame.build(ours), frame.build(theirs))
    assert set(verdicts(found).values()) == {"pass"}, [f for f in found if f.verdict != "pass"]
    assert gates.passed(found)
    assert found == run(frame.build(ours), frame.build(theirs))


def test_without_a_reference_the_texts_alone_are_judged() -> None:
    found = run(frame.build(both()[0]))
    families = {one.gate.partition(".")[0] for one in found}
    assert families == {"diversity", "privacy", "labels"}


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        (lambda t, _: t.update(text=t["text"][:100] * 8), "diversity.near_duplicates"),
        (
            lambda t, _: t.update(text=["the same few words of a text again"] * 800),
            "diversity.vendi",
        ),
        (
            lambda t, _: t.update(text=["the same few words of a text again"] * 800),
            "diversity.distinct_2",
        ),
        (lambda t, _: t.update(amount=[a + 12 for a in t["amount"]]), "drift.mean_shift"),
        (lambda t, _: t.update(label=["praise"] * 600 + ["blame"] * 200), "drift.cramer"),
        (lambda t, r: t.update(text=r["text"][:5] + t["text"][5:]), "privacy.copied_texts"),
        (
            lambda t, r: t.update(text=["so " * 90 + r["text"][3][:60], *t["text"][1:]]),
            "privacy.verbatim",
        ),
        (
            lambda t, r: [t.update({k: r[k]}) for k in ("amount", "stars", "label")],
            "privacy.copied_rows",
        ),
        (
            lambda t, r: [t.update({k: r[k]}) for k in ("amount", "stars", "label")],
            "privacy.too_close",
        ),
        (lambda t, _: t["text"].__setitem__(9, "my card is 4111 1111 1111 1111"), "privacy.pii"),
    ],
)
def test_each_fault_fails_its_gate(change: Any, gate: str) -> None:
    ours, theirs = both(1)
    change(ours, theirs)
    found = run(frame.build(ours), frame.build(theirs))
    assert verdicts(found)[gate] == "fail"
    assert not gates.passed(found)
    assert all(one.advice for one in found if one.verdict != "pass")


def test_a_label_told_by_length_warns_until_somebody_sets_a_limit() -> None:
    ours, _ = both(2)
    ours["text"] = [
        text[:40] if label == "blame" else text
        for text, label in zip(ours["text"], ours["label"], strict=True)
    ]
    rows = frame.build(ours)
    assert verdicts(run(rows))["labels.length"] == "warn"
    assert verdicts(run(rows, None, [{"labels": {"length": 0.8}}]))["labels.length"] == "fail"


def test_rows_without_a_label_are_no_label_of_their_own() -> None:
    values = [None] * 60 + ["a", "b"] * 40
    texts = ["x" * 200] * 60 + ["y" * 20] * 80
    assert not [
        leak for leak in labels.leaks(values, texts, np.random.default_rng(0)) if leak.auc > 0.9
    ]
    assert list(labels.lengths(values, texts)) == ["a", "b"]


def test_reserved_addresses_warn_only() -> None:
    ours, _ = both(3)
    ours["text"][0] += " ann@example.com"
    found = verdicts(run(frame.build(ours)))
    assert (found["privacy.pii"], found["privacy.placeholders"]) == ("pass", "warn")


@pytest.mark.parametrize("name", ["text", "备注"])
def test_personal_data_is_found_in_short_strings_of_any_column(name: str) -> None:
    values = {name: [f"电话1381234{at:04}" for at in range(60)]}
    rows = frame.build(values)
    assert rows.columns[name].kind == (TEXT if name == "text" else ID)
    assert verdicts(run(rows))["privacy.pii"] == "fail"


def test_few_rows_are_a_finding_of_their_own() -> None:
    ours, theirs = both(4, 20)
    found = run(frame.build(ours), frame.build(theirs))
    assert {one.gate for one in found if one.verdict == "too-few-rows"} >= {
        "diversity.distinct_2",
        "drift.ks",
        "drift.classifier",
        "coverage.reference",
    }
    assert gates.passed(found)


def test_unfilled_combinations_and_shares_off_plan_are_found() -> None:
    ours, _ = both(5)
    planned = {("praise", 1): 400, ("blame", 1): 400, ("mixed", 1): 10}
    ours["one"] = [1] * 800
    rows = frame.build(ours, kinds={"one": CATEGORY})
    context = findings.Context(axes=("label", "one"), planned=planned)
    found = verdicts(run(rows, None, [], context))
    assert found["coverage.combinations"] == "fail"


def test_held_out_rows_tell_copies_from_fits() -> None:
    ours, theirs = both(6, 1000)
    used = {k: v[:500] for k, v in theirs.items()}
    held = {k: v[500:] for k, v in theirs.items()}
    context = findings.Context(held_out=frame.build(held))
    fair = run(frame.build(ours), frame.build(used), [], context)
    leaky = run(frame.build(used), frame.build(used), [], context)
    assert verdicts(fair)["privacy.closest"] == "pass"
    assert verdicts(leaky)["privacy.closest"] == "fail"


class Even:
    """An even number of rows."""

    name = "own"
    asks = "are there two of each?"
    measures = (expect.Measure("even", 0.5, upper=False, meaning="rows stand alone"),)

    def __call__(
        self, evidence: findings.Evidence, limits: findings.Limits
    ) -> list[findings.Finding]:
        return [limits.judge("own.even", "", 1.0 - evidence.rows.rows % 2, "add a row")]


def test_a_gate_of_ones_own_declares_its_measures_and_judges_by_them() -> None:
    rows = frame.build({"text": ["a text that is long enough to be one, and odd"]})
    evidence = findings.Evidence(rows, None, findings.Context())
    limits = findings.Limits({"own.even": Even.measures[0]})
    assert not gates.passed(gates.judge(evidence, limits, [Even()]))
    with pytest.raises(InputError, match=r"'own\.even', a measure that no gate declares"):
        gates.judge(evidence, findings.limits_of(), [Even()])


def test_later_limits_win_and_unknown_words_are_named() -> None:
    limits = findings.limits_of({"drift": {"ks": 0.1, "table": "x.csv"}}, {"drift": {"ks": 0.3}})
    assert limits.bound("drift.ks") == 0.3
    with pytest.raises(InputError, match="Did you mean 'distinct_2'"):
        findings.limits_of({"diversity": {"distinct2": 1}})
    with pytest.raises(InputError, match="Did you mean 'drift'"):
        findings.limits_of({"drfit": {"ks": 1}})


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', "a.jsonl:2:"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "a.jsonl:2:1"),
        ("a.jsonl", '{"a": 1}\n{"a": "退款"}\n'.encode("gb18030"), "a.jsonl:2:8: not UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "a.csv:1:4: a NUL byte"),
        ("a.csv", b"a,b\n1,2\n1\n", "a.csv:3:1"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1:1"),
        ("a.csv", b'a,b\n"1,2\n', "a.csv:2"),
        ("a.jsonl", b"", "no rows"),
        ("a.csv", b"a,b\n", "no rows"),
        ("a.json", b'{"a": 1}', "a.json:1:1"),
        ("a.parquet", b"PAR1 nothing", "not Parquet"),
        ("a.pickle", b"x", "rows are read from"),
    ],
)
def test_broken_files_are_named_with_their_line(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        frame.read(write(tmp_path / name, data))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_missing_file_or_column_gets_the_nearest_name(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.csv", b"amount,text\n1,abc\n2,def\n")
    with pytest.raises(InputError, match="Did you mean 'orders"):
        frame.read(tmp_path / "order.csv")
    with pytest.raises(InputError, match="Did you mean 'amount'"):
        frame.read(path).column("amout")
    with pytest.raises(InputError, match="Did you mean 'text'"):
        frame.read(path, kinds={"texts": TEXT})
    with pytest.raises(InputError, match="holds no"):
        frame.read(write(tmp_path / "empty" / "README.md", b"#").parent)


def test_files_of_every_kind_give_the_same_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    values = table(60, 7)
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    parquet.write_table(pa.table(values).slice(0, 30), folder / "train-0.parquet")
    parquet.write_table(pa.table(values).slice(30), folder / "train-1.parquet")
    lines = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    import orjson

    write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + b"\r\n".join(map(orjson.dumps, lines)))
    rows = [",".join(map(str, line.values())) for line in lines]
    write(tmp_path / "a.csv", "\n".join([",".join(values), *rows]).encode())
    frames = [frame.read(tmp_path / name) for name in ("set", "a.jsonl", "a.csv")]
    for one in frames:
        kinds = {column.name: str(column.kind) for column in one.columns.values()}
        assert kinds == {
            "text": "text",
            "amount": "number",
            "stars": "number",
            "label": "category",
        }
        assert one.scenarios == tuple(values["_scenario"])
        assert one.texts() == values["text"]
        assert one.columns["amount"].values.tolist() == values["amount"]


def test_columns_are_what_they_hold() -> None:
    rows = frame.build(
        {
            "turns": [
                [{"role": "user", "content": f"where is order number {k}?"}] for k in range(80)
            ],
            "collapsed": ["one and the same answer, given again and again"] * 80,
            "id": [f"a{k:04x}" for k in range(80)],
            "zip": ["01234"] * 80,
            "day": ["2026-01-02"] * 80,
            "yes": [True, False] * 40,
            "half": [None, 1.5] * 40,
            "none": [None] * 80,
            "中文": ["这个订单拖了三个星期还没有到货,我非常生气"] * 80,
        }
    )
    kinds = {column.name: str(column.kind) for column in rows.columns.values()}
    assert kinds == {
        "turns": "text",
        "collapsed": "text",
        "id": "id",
        "zip": "category",
        "day": "number",
        "yes": "category",
        "half": "number",
        "none": "category",
        "中文": "text",
    }


def test_the_guide_lists_every_measure_as_its_gate_declares_it() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "gates.md").read_text("utf-8")
    for name, measure in expect.measures().items():
        if name.partition(".")[0] in expect.ORDER:
            assert f"| `{name}` | {measure.default} | {measure.meaning} |" in guide
    assert all(f"`{kind}`" in guide for kind in pii.KINDS)


WEIRD: dict[str, list[Any]] = {
    "empty": [None, "", None],
    "numbers": [1e308, -1e308, None],
    "constant": [3, 3, 3],
    "mixed": [True, 2.5, "长文本退款长文本退款长文本退款"],
    "nested": [[], [{"role": "user", "content": "a question of some length"}], {"a": [1]}],
    "broken": ["\ud800 lone surrogates in a text of some length", "", "\0\0"],
    "id": ["a1", "b2", "c3"],
}


@pytest.mark.parametrize("times", [1, 2, 50])
@pytest.mark.parametrize("swapped", [False, True])
def test_no_column_is_too_odd_to_be_judged_and_shown(times: int, swapped: bool) -> None:
    ours = {name: cells * times for name, cells in WEIRD.items()}
    theirs = {name: cells * 60 for name, cells in WEIRD.items()}
    if swapped:
        theirs = dict(zip(theirs, reversed(theirs.values()), strict=True))
    held = findings.Evidence(frame.build(ours), frame.build(theirs), findings.Context())
    found = gates.judge(held, findings.limits_of())
    assert reports.html("odd", held, found)
    assert report_file.parse(report_file.of("odd", held, found).to_json())
