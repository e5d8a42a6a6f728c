"""The columns of a dataset as Hugging Face writes them down: in Parquet metadata and in a card.

Written here rather than by `datasets`, which takes seconds to import; a test holds the two equal.
"""

from typing import Any

from builder.dataset.shapes import Shape
from builder.table.kinds import STRING, Kind

_TYPES = {"integer": "int64", "number": "float64", "boolean": "bool"}


def as_metadata(shape: Shape) -> dict[str, Any]:
    """What stands under `info.features` in the metadata of a Parquet schema."""
    return {
        name: {"names": list(shape.labels[name]), "_type": "ClassLabel"}
        if name in shape.labels
        else _metadata(kind)
        for name, kind in shape.kinds.items()
    }


def as_card(shape: Shape, *, flat: bool = False) -> list[dict[str, Any]]:
    """What stands under `dataset_info.features` in a card.

    `flat` tells that files hold nested values as JSON text.
    """
    return [
        {"name": name, "dtype": {"class_label": {"names": _numbered(shape.labels[name])}}}
        if name in shape.labels
        else {"name": name, **_card(STRING if flat and (kind.of or kind.fields) else kind)}
        for name, kind in shape.kinds.items()
    ]


def _metadata(kind: Kind) -> dict[str, Any]:
    if kind.name == "list" and kind.of is not None:
        return {"feature": _metadata(kind.of), "_type": "List"}
    if kind.name == "struct":
        return {name: _metadata(inner) for name, inner in kind.fields}
    return {"dtype": _TYPES.get(kind.name, "string"), "_type": "Value"}


def _card(kind: Kind) -> dict[str, Any]:
    if kind.name == "list" and kind.of is not None:
        return {"list": _item(kind.of)}
    if kind.name == "struct":
        return {"struct": [{"name": name, **_card(inner)} for name, inner in kind.fields]}
    return {"dtype": _TYPES.get(kind.name, "string")}


def _item(kind: Kind) -> str | list[dict[str, Any]] | dict[str, Any]:
    """What the items of a list are: a type, the fields of a struct, or lists again."""
    feature: dict[str, Any] = _card(kind)
    item: str | list[dict[str, Any]] = feature.get("dtype") or feature.get("struct") or []
    return item or feature


def _numbered(labels: tuple[str, ...]) -> dict[str, str]:
    return {str(number): label for number, label in enumerate(labels)}
