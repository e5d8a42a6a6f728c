"""What a top-up asks for, when it ends, and the scenario that it writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from ruamel.yaml import YAML

from builder.quality import topups
from builder.quality.topups import Proposal, Thin

MONEY = Thin(("refund", "bank"), 0.4, 0.1, 0.3)
LATE = Thin(("parcel",), 0.5, 0.6, 0.1)


def test_rows_fill_the_deficits_and_at_most_double_the_dataset() -> None:
    assert topups.wanted(Proposal(0.5, 0.9, (MONEY, LATE)), 60) == 40
    whole = Thin(("all",), 1.0, 0.0, 0.9)
    assert topups.wanted(Proposal(0.1, 0.9, (whole,)), 60) == 60
    assert topups.wanted(Proposal(0.5, 0.9, (MONEY, LATE)), 1) == 2


def test_shares_go_by_deficit_over_those_of_the_rounds_before() -> None:
    assert topups.shares([MONEY, LATE], 40) == {"refund, bank": 30, "parcel": 10}
    assert topups.shares([LATE], 3, {"refund, bank": 30, "parcel": 10}) == {
        "refund, bank": 30,
        "parcel": 13,
    }
    assert topups.shares([MONEY, LATE], 1) == {"refund, bank": 1, "parcel": 1}


@pytest.mark.parametrize(
    ("history", "ceiling", "end"),
    [
        ([], 0.9, ""),
        ([0.5], 0.9, ""),
        ([0.9], 0.9, "coverage 0.90 has reached its ceiling 0.90"),
        ([0.5, 0.505], 0.9, ""),
        ([0.5, 0.502, 0.509], 0.9, "two rounds gained 0.009, under 0.01"),
        ([0.5, 0.6, 0.61], 0.9, ""),
        ([0.5, 0.4, 0.45], 0.9, "two rounds gained 0.000, under 0.01"),
    ],
)
def test_rounds_end_at_the_ceiling_or_when_two_gain_nothing(
    history: list[float], ceiling: float, end: str
) -> None:
    assert topups.finished(history, ceiling) == end


def test_the_scenario_is_the_base_with_an_axis_and_knows_whether_it_was_changed() -> None:
    base = {
        "schema": "Letter",
        "rows": 9,
        "vary": {"tone": ["a"], "focus": ["x"]},
        "keep": ["a: b"],
        "unlike": [],
    }
    weights = {"refund, bank": 30, "parcel": 10}
    text = topups.scenario(base, weights, [MONEY], name="letters", seed=7)
    read = YAML(typ="safe").load(io.StringIO(text))
    assert read == {
        "schema": "Letter", "rows": 40, "seed": 7, "keep": ["a: b"], "unlike": [],
        "vary": {"focus": weights, "tone": ["a"]},
    }  # fmt: skip
    assert '"refund, bank": 30  # 40% of the reference, 10% of it covered' in text
    assert '"parcel": 10  # a round before' in text
    assert topups.untouched(text)
    assert not topups.untouched(text.replace("30", "31"))
    assert not topups.untouched("schema: Letter\n")


def test_the_prompt_includes_its_base_and_speaks_its_language() -> None:
    plain = topups.prompt("letters", "Write a letter.")
    assert plain.startswith('{% include "letters.j2" %}\n\nWrite about what these words')
    assert "{{ focus }}" in topups.prompt("letters", "写一封信,说明订单的问题。")
    assert "围绕" in topups.prompt("letters", "写一封信,说明订单的问题。")
    turns = topups.prompt("letters", "{% system %}Be brief.{% endsystem %}")
    assert "{% user %}\n" in turns
    assert turns.rstrip().endswith("{% enduser %}")


def test_terms_tell_a_cluster_apart_and_stand_in_three_texts() -> None:
    texts = ["the bank keeps the refund"] * 3 + ["the parcel is late"] * 3 + ["one zeppelin"]
    members = np.array([True] * 3 + [False] * 3 + [True])
    terms = topups.distinguishing(texts, members)
    assert set(terms) == {"bank", "keeps", "refund"}
    assert "zeppelin" not in terms
    assert topups.distinguishing(
        ["你的退款到了"] * 3 + ["包裹丢了"] * 3, np.array([True] * 3 + [False] * 3)
    )


def test_a_run_of_five_words_or_six_letters_is_a_quotation() -> None:
    reference = ["the bank keeps my refund today", "我的退款一直没有到账"]
    assert topups.quotes("The bank keeps my refund", reference)
    assert not topups.quotes("the bank keeps my", reference)
    assert not topups.quotes("bank the keeps my refund", reference)
    assert topups.quotes("退款一直没有", reference)
    assert not topups.quotes("退款一直没", reference)


def test_terms_of_chinese_are_joined_as_chinese() -> None:
    assert Thin(("退款", "银行"), 0.4, 0.1, 0.3).focus == "退款、银行"
    assert MONEY.focus == "refund, bank"


def test_too_few_texts_are_an_error_of_their_own() -> None:
    with pytest.raises(ValueError, match="too few"):
        topups.propose(["a b c"] * 10, ["d e f"] * 40, np.random.default_rng(0))
