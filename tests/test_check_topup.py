from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from builder.quality import topups

TOPICS = {
    "late": "parcel courier delayed warehouse tracking doorstep shipment address delivery window",
    "broken": "screen cracked battery swollen charger sparks warranty repair speaker hinge",
    "money": "invoice charged twice refund bank statement currency receipt cashback balance",
}
COMMON = [
    "i",
    "have",
    "been",
    "waiting",
    "since",
    "and",
    "nobody",
    "tells",
    "me",
    "what",
    "will",
    "happen",
    "with",
    "my",
    "order",
    "please",
]


def texts(topic: str, n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    known = TOPICS[topic].split()
    return [
        " ".join(rng.permutation([*rng.choice(known, 5), *rng.choice(COMMON, 7)]).tolist())
        for _ in range(n)
    ]


def test_a_missing_topic_is_thin_and_named_by_its_terms() -> None:
    reference = texts("late", 200, 0) + texts("money", 200, 1)
    proposal = topups.propose(
        texts("late", 300, 2), reference, np.random.default_rng(0), clusters=2
    )
    assert proposal.coverage == pytest.approx(0.5, abs=0.08)
    assert proposal.ceiling > 0.9
    assert len(proposal.thin) == 1
    assert set(proposal.thin[0].terms) <= set(TOPICS["money"].split())
    assert proposal.thin[0].covered < 0.1


def test_rounds_that_follow_the_focus_reach_the_ceiling() -> None:
    reference = texts("late", 200, 3) + texts("broken", 200, 4)
    rows, history = texts("late", 200, 5), []
    for turn in range(3):
        proposal = topups.propose(rows, reference, np.random.default_rng(turn))
        history.append(proposal.coverage)
        if topups.finished(history, 0.9 * proposal.ceiling):
            break
        for one in proposal.thin:
            topic = max(TOPICS, key=lambda t: len(set(TOPICS[t].split()) & set(one.terms)))
            rows = rows + texts(topic, round(300 * one.deficit), 100 * turn + len(rows))
    assert history[0] < 0.6
    assert history[-1] >= 0.9 * proposal.ceiling
    assert len(history) <= 3


def test_a_focus_quotes_no_reference_text() -> None:
    reference = ["alpha beta gamma delta epsilon zeta eta theta"] * 60 + texts("late", 60, 6)
    own = np.arange(120) < 60
    terms = topups.distinguishing(reference, own)
    assert terms
    assert not topups.quotes(", ".join(terms), reference)
    chinese = ["退款迟迟不到账客服一直推诿"] * 60 + ["耳机左边没有声音充电仓打不开"] * 60
    terms = topups.distinguishing(chinese, own)
    assert terms
    assert not topups.quotes("、".join(terms), chinese)
    assert topups.quotes("he said alpha beta, gamma delta epsilon", reference)


def test_terms_that_few_texts_hold_are_left_out() -> None:
    reference = [*texts("late", 50, 7), "ask johanna about it", *texts("money", 50, 8)]
    terms = topups.distinguishing(reference, np.arange(101) <= 50)
    assert "johanna" not in terms


def test_the_scenario_reads_back_as_the_base_with_a_focus() -> None:
    thin = [
        topups.Thin(("refund", "bank"), 0.5, 0.1, 0.3),
        topups.Thin(("退款", "到账"), 0.2, 0.0, 0.1),
    ]
    base: dict[str, Any] = {
        "prompt": "support",
        "schema": "Support",
        "rows": 10,
        "given": {"role": 'a "strict" agent: yes', "context": "no"},
        "vary": {"emotion": {"calm": 1, "angry": 2}, "product": ["a", "b"]},
        "draw": [{"patience": {"uniform": [0, 1]}}],
        "keep": ["not (emotion == 'calm')"],
    }
    weights = topups.shares(thin, 120, {"退款、到账": 10})
    text = topups.scenario(base, weights, thin, name="support", seed=5)
    assert topups.untouched(text)
    assert not topups.untouched(text.replace("angry", "furious"))
    read = YAML(typ="safe", pure=True).load(io.StringIO(text))
    assert list(read["vary"]) == ["focus", "emotion", "product"]
    assert read["vary"]["focus"] == {"refund, bank": 90, "退款、到账": 40}
    assert (read["rows"], read["seed"]) == (130, 5)
    assert {k: read[k] for k in ("prompt", "schema", "given", "draw", "keep")} == {
        k: base[k] for k in ("prompt", "schema", "given", "draw", "keep")
    }
    assert read["vary"]["emotion"] == base["vary"]["emotion"]


def test_rounds_end_at_the_ceiling_or_when_they_gain_nothing() -> None:
    assert topups.finished([0.5], 0.9) == ""
    assert "ceiling" in topups.finished([0.5, 0.92], 0.9)
    assert topups.finished([0.5, 0.6, 0.7], 0.9) == ""
    assert "gained" in topups.finished([0.5, 0.6, 0.6, 0.605], 0.9)
