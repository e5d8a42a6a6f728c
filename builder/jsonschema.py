"""JSON Schema as Pydantic writes it, walked in one place: references, choices, null, free text.

A `part` is a schema within `root`, the whole schema that its references lead into.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

# Levels that are looked into, so that a class which contains itself comes to an end.
DEEPEST = 8
CHOICES = ("anyOf", "oneOf", "allOf")


def target(reference: str, root: Schema) -> Schema:
    """The schema that a reference leads to: a JSON pointer (RFC 6901) into `root`.

    >>> target("#/$defs/a~1b", {"$defs": {"a/b": {"type": "string"}}})
    {'type': 'string'}
    """
    part: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        if name:
            part = part[name.replace("~1", "/").replace("~0", "~")]
    schema: Schema = part
    return schema


def unwrap(root: Schema) -> dict[str, Any]:
    """The schema with what its root refers to written out there, as for a class that contains itself.

    >>> unwrap({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}})
    {'type': 'object', '$defs': {'A': {'type': 'object'}}}
    """
    if "$ref" not in root:
        return dict(root)
    return {**target(root["$ref"], root), "$defs": root["$defs"]}


def without(root: Schema, names: Sequence[str]) -> Schema:
    """The schema of an object without some of its fields, and without what only they refer to."""
    if not names:
        return root
    fields = {name: part for name, part in root["properties"].items() if name not in names}
    rest = {**root, "properties": fields}
    if "required" in root:
        rest["required"] = [name for name in root["required"] if name not in names]
    parts = rest.pop("$defs", {})
    reached: dict[str, Any] = {}
    waiting = [*_references(rest)]
    while waiting:
        name = waiting.pop()
        if name in parts and name not in reached:
            reached[name] = parts[name]
            waiting += _references(parts[name])
    kept = {name: part for name, part in parts.items() if name in reached}
    return {**rest, "$defs": kept} if kept else rest


def _references(part: object) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(part, Mapping):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.removeprefix("#/$defs/")
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def options(part: Schema) -> list[Schema]:
    """The schemas that values may choose between, null left out; none where there is no choice.

    >>> options({"anyOf": [{"type": "string"}, {"type": "null"}]})
    [{'type': 'string'}]
    >>> options({"type": ["string", "null"], "maxLength": 9})
    [{'type': 'string', 'maxLength': 9}]
    """
    if isinstance(part.get("type"), list):
        choices: Sequence[Schema] = [{**part, "type": name} for name in part["type"]]
    else:
        choices = next((part[word] for word in CHOICES if word in part), ())
    return [choice for choice in choices if choice.get("type") != "null"]


def resolve(part: Schema, root: Schema) -> Schema:
    """The schema behind references and choices of one, such as a type or null."""
    while True:
        choices = options(part)
        if "$ref" in part:
            part = target(part["$ref"], root)
        elif len(choices) == 1:
            part = choices[0]
        else:
            return part


def ordered(value: Any, part: Schema, root: Schema) -> Any:
    """The value, each set in it in an order that does not depend on the process; a set is what the
    schema says holds nothing twice.

    >>> ordered({"tags": ["b", "a"]}, {"properties": {"tags": {"uniqueItems": True}}}, {})
    {'tags': ['a', 'b']}
    """
    if "$ref" in part:
        return ordered(value, target(part["$ref"], root), root)
    if choices := options(part):
        chosen = next((choice for choice in choices if _may_be(value, choice, root)), {})
        return ordered(value, chosen, root)
    if isinstance(value, list):
        ahead, items = part.get("prefixItems", []), part.get("items", {})
        schemas = [*ahead[: len(value)], *[items] * (len(value) - len(ahead))]
        parts = [ordered(item, schema, root) for item, schema in zip(value, schemas, strict=True)]
        return _sorted(parts) if part.get("uniqueItems") else parts
    if isinstance(value, dict):
        fields, others = part.get("properties", {}), part.get("additionalProperties", {})
        others = others if isinstance(others, Mapping) else {}
        return {name: ordered(v, fields.get(name, others), root) for name, v in value.items()}
    return value


def _may_be(value: object, part: Schema, root: Schema) -> bool:
    """Whether an option of a choice may be that of a value, by its type and constants."""
    part = resolve(part, root)
    if isinstance(value, Mapping):
        fields = part.get("properties", {})
        constants = {name: field["const"] for name, field in fields.items() if "const" in field}
        complete = set(part.get("required", ())) <= value.keys()
        return part.get("type") == "object" and complete and constants.items() <= value.items()
    return (part.get("type") == "array") == isinstance(value, list)


def _sorted(values: list[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))


def is_free_text(part: Schema, root: Schema, depth: int = 0) -> bool:
    """Whether values hold text, at any depth, that is no enum, constant or format."""
    if depth > DEEPEST:
        return False
    if "$ref" in part:
        return is_free_text(target(part["$ref"], root), root, depth + 1)
    if choices := options(part):
        return any(is_free_text(choice, root, depth + 1) for choice in choices)
    if part.get("type") == "string":
        return not {"enum", "const", "format"} & part.keys()
    if part.get("type") == "array":
        return is_free_text(part.get("items", {}), root, depth + 1)
    return any(
        is_free_text(field, root, depth + 1) for field in part.get("properties", {}).values()
    )


def texts(value: object, part: Schema, root: Schema) -> list[str]:
    """The free texts within a value, in its order; of a choice, those of the first option."""
    if value is None:
        return []
    if "$ref" in part:
        return texts(value, target(part["$ref"], root), root)
    if choices := options(part):
        return texts(value, choices[0], root)
    if isinstance(value, str):
        return [value] if is_free_text(part, root) else []
    if isinstance(value, list):
        items = part.get("items", {})
        return [text for item in value for text in texts(item, items, root)]
    if isinstance(value, Mapping):
        fields = part.get("properties", {})
        return [
            text
            for name in value
            if name in fields
            for text in texts(value[name], fields[name], root)
        ]
    return []
