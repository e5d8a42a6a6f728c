from __future__ import annotations

import importlib.metadata
import importlib.util

import numpy as np
import pytest

from builder.errors import InputError
from builder.stats import minilm

pytestmark = pytest.mark.slow


def installed() -> bool:
    try:
        importlib.metadata.version(minilm.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return all(importlib.util.find_spec(name) for name in ("tokenizers", "onnx", "onnxruntime"))


@pytest.mark.skipif(installed(), reason="the extra is installed")
def test_without_the_extra_the_error_says_what_to_install() -> None:
    with pytest.raises(InputError, match="semantic") as caught:
        minilm.load()
    assert minilm.PACKAGE in str(caught.value)


@pytest.mark.skipif(not installed(), reason="the extra `semantic` is not installed")
def test_vectors_are_those_that_the_model_is_known_for() -> None:
    # As sentence-transformers prints them for the two sentences of the model's card.
    known = [
        [0.06765693, 0.06349593, 0.04871314, 0.07930495, 0.03744806, 0.00265273],
        [0.08643859, 0.10276],
    ]
    found = minilm.load()(["This is an example sentence", "Each sentence is converted"])
    for vector, start in zip(found, known, strict=True):
        assert vector[: len(start)] == pytest.approx(start, abs=2e-5)


@pytest.mark.skipif(not installed(), reason="the extra `semantic` is not installed")
def test_a_vector_does_not_depend_on_its_neighbours_nor_on_what_is_cut_off() -> None:
    embed = minilm.load()
    texts = ["one short text", "a text of another length, and of more words", "word " * 400]
    together = embed([*texts, "word " * 900])
    for at, text in enumerate(texts):
        assert embed([text])[0] == pytest.approx(together[at], abs=1e-5)
    assert together[3] == pytest.approx(together[2], abs=1e-5)


@pytest.mark.skipif(not installed(), reason="the extra `semantic` is not installed")
def test_like_meanings_lie_near_without_a_shared_word() -> None:
    embed = minilm.load()
    texts = ["How do I get a refund?", "I want my money back", "The weather in Paris is nice today"]
    vectors = embed([*texts, ""])
    near = vectors @ vectors.T
    assert near[0, 1] > 0.4 > 0.2 > max(near[0, 2], near[1, 2])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert embed(texts[:1])[0] == pytest.approx(vectors[0], abs=1e-4)


@pytest.mark.skipif(not installed(), reason="the extra `semantic` is not installed")
def test_weights_other_than_the_reviewed_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(minilm.DIGESTS, "tokenizer.json", "0" * 64)
    with pytest.raises(InputError, match="not the file that was reviewed"):
        minilm.load()
