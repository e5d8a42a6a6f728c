"""A value that obeys a JSON Schema, drawn from an rng: what the fake engine answers."""

import datetime
import importlib
import math
import random
import re
import string
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from pydantic import JsonValue

from builder import jsonschema
from builder.engines import lexicon
from builder.jsonschema import Schema

# Levels after which optional and repeated parts are left out, so that recursion ends.
DEEPEST = 6
OPTIONAL = 0.75  # Share of optional fields that are there.
REPEATS = 8  # Repetitions drawn for an open-ended part of a pattern.
TRIES = 40
PRINTABLE = string.ascii_letters + string.digits + " "
DAY = datetime.date(2020, 1, 1)


def value(schema: Schema, rng: random.Random, *, chinese: bool = False) -> JsonValue:
    """A JSON value that `schema` accepts; `chinese` decides the language of free text."""
    return _Draw(schema, rng, chinese).any(schema, 0)


class _Draw:
    """The state of one draw: where references lead, and the source of chance."""

    def __init__(self, root: Schema, rng: random.Random, chinese: bool) -> None:
        self._root = root
        self._rng = rng
        self._chinese = chinese

    def any(self, schema: object, depth: int) -> JsonValue:
        if not isinstance(schema, Mapping):
            return None if schema is False else lexicon.phrase(self._rng, chinese=self._chinese)
        if "const" in schema:
            const: JsonValue = schema["const"]
            return const
        if "enum" in schema:
            values: list[JsonValue] = schema["enum"]
            return self._rng.choice(values)
        if "$ref" in schema:
            siblings = {key: item for key, item in schema.items() if key != "$ref"}
            return self.any({**jsonschema.target(schema["$ref"], self._root), **siblings}, depth)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.any(self._branch(schema[word], depth), depth)
        if "allOf" in schema:
            return self.any(self._merged(schema), depth)
        return self._typed(schema, depth)

    def _typed(self, schema: Schema, depth: int) -> JsonValue:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self._rng.choice(kind)
        kind = kind or ("array" if "items" in schema else "string")
        if kind == "object" or ("type" not in schema and "properties" in schema):
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._string(schema)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        return self._rng.random() < 0.5 if kind == "boolean" else None

    def _branch(self, branches: list[Schema], depth: int) -> Schema:
        """One of the branches; beyond the depth, one that ends soon if there is any."""
        if depth > DEEPEST:
            deep = ("object", "array")
            branches = [
                branch
                for branch in branches
                if not isinstance(branch, Mapping)
                or not ({"$ref", "anyOf"} & branch.keys() or branch.get("type") in deep)
            ] or branches
        return self._rng.choice(branches)

    def _merged(self, schema: Schema) -> Schema:
        out = {key: item for key, item in schema.items() if key != "allOf"}
        for branch in schema["allOf"]:
            part = jsonschema.target(branch["$ref"], self._root) if "$ref" in branch else branch
            for key, item in part.items():
                if key == "properties":
                    out[key] = {**out.get(key, {}), **item}
                elif key == "required":
                    out[key] = [*out.get(key, []), *item]
                else:
                    out[key] = item
        return out

    def _object(self, schema: Schema, depth: int) -> dict[str, JsonValue]:
        properties = schema.get("properties", {})
        required = set(schema.get("required", ()))
        share = OPTIONAL if depth <= DEEPEST else 0.0
        out = {
            name: self.any(child, depth + 1)
            for name, child in properties.items()
            if name in required or self._rng.random() < share
        }
        more = schema.get("additionalProperties")
        if more and not properties:
            names = schema.get("propertyNames", {"type": "string", "maxLength": 12})
            least = int(schema.get("minProperties", 1))
            most = int(schema.get("maxProperties", max(least, 3)))
            wanted = self._rng.randint(min(least, most), most)
            for _ in range(TRIES):
                if len(out) >= wanted:
                    break
                name = str(self.any(names, depth + 1))
                out[name] = self.any(more if isinstance(more, Mapping) else {}, depth + 1)
        return out

    def _array(self, schema: Schema, depth: int) -> list[JsonValue]:
        places = schema.get("prefixItems", [])
        out = [self.any(place, depth + 1) for place in places]
        items = schema.get("items", not places)
        if items is False:
            return out
        deep = depth > DEEPEST
        least = max(int(schema.get("minItems", 0 if places or deep else 1)), len(out))
        room = 0 if deep else 3 - min(depth, 2)
        most = min(int(schema.get("maxItems", least + room)), least + room)
        seen = {orjson.dumps(item) for item in out}
        wanted = self._rng.randint(min(least, most), max(least, most) if most >= least else most)
        for _ in range(wanted * TRIES):
            if len(out) >= wanted:
                break
            item = self.any(items, depth + 1)
            mark = orjson.dumps(item)
            if not schema.get("uniqueItems") or mark not in seen:
                seen.add(mark)
                out.append(item)
        return out

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        low, high = _bounds(schema, whole=whole)
        multiple = schema.get("multipleOf")
        if multiple:
            first, last = math.ceil(low / multiple), math.floor(high / multiple)
            count = self._rng.randint(first, max(first, last))
            return count * multiple if whole else float(f"{count * multiple:.12g}")
        if whole:
            return self._rng.randint(math.ceil(low), max(math.ceil(low), math.floor(high)))
        for digits in (2, 4, 8):
            drawn = round(self._rng.uniform(low, high), digits)
            if low <= drawn <= high:
                return drawn
        return self._rng.uniform(low, high)

    def _string(self, schema: Schema) -> str:
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 400))
        most = max(least, most)
        if "pattern" in schema:
            for _ in range(TRIES):
                text = self._matching(str(schema["pattern"]))
                if text is not None and least <= len(text) <= most:
                    return text
        text = self._formatted(str(schema.get("format", "")))
        return text or lexicon.text(
            self._rng, max(least, min(1, most)), most, chinese=self._chinese
        )

    def _formatted(self, name: str) -> str | None:
        rng = self._rng
        day = DAY + datetime.timedelta(days=rng.randrange(2500))
        clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        nick = "".join(rng.choice(string.ascii_lowercase) for _ in range(8))
        texts = {
            "date": day.isoformat(),
            "date-time": f"{day.isoformat()}T{clock}Z",
            "time": f"{clock}Z",
            "duration": f"P{rng.randint(1, 30)}DT{rng.randint(1, 23)}H",
            "email": f"{nick}@example.com",
            "idn-email": f"{nick}@example.com",
            "hostname": f"{nick}.example.com",
            "ipv4": f"192.0.2.{rng.randrange(256)}",
            "ipv6": f"2001:db8::{rng.randrange(1, 65536):x}",
            "uri": f"https://example.com/{nick}",
        }
        if name == "uuid":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        return texts.get(name)

    def _matching(self, pattern: str) -> str | None:
        """A text that the pattern finds a match in, or None for one too rich for this."""
        tree = _parsed(pattern)
        text = "".join(self._part(part) for part in tree or ())
        return text if tree is not None and re.search(pattern, text) else None

    def _part(self, part: tuple[Any, Any]) -> str:
        kind, detail = str(part[0]), part[1]
        if kind == "LITERAL":
            return chr(detail)
        if kind in ("IN", "NOT_LITERAL", "ANY"):
            return self._character(kind, detail)
        if kind not in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT", "SUBPATTERN", "BRANCH"):
            return ""
        children, count = detail[-1], 1
        if kind.endswith("REPEAT"):
            least, most = int(detail[0]), int(detail[1])
            count = self._rng.randint(least, min(most, least + REPEATS))
        elif kind == "BRANCH":
            children = self._rng.choice(children)
        return "".join(self._part(child) for _ in range(count) for child in children)

    def _character(self, kind: str, detail: Any) -> str:
        if kind == "ANY":
            return self._rng.choice(PRINTABLE)
        if kind == "NOT_LITERAL":
            return self._rng.choice([char for char in PRINTABLE if ord(char) != detail])
        chosen: list[str] = []
        for token, inner in detail:
            name = str(token)
            if name in ("LITERAL", "RANGE"):
                first, last = (inner, inner) if name == "LITERAL" else inner
                chosen.extend(map(chr, range(first, min(last, first + 500) + 1)))
            elif name == "CATEGORY":
                chosen.extend(_category(str(inner)))
        if str(detail[0][0]) == "NEGATE":
            chosen = [char for char in PRINTABLE if char not in set(chosen)]
        return self._rng.choice(chosen) if chosen else ""


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> list[tuple[Any, Any]] | None:
    """The parts of a pattern as Python's own parser sees them."""
    try:
        return list(importlib.import_module("re._parser").parse(pattern))
    except (re.error, OverflowError):
        return None


def _category(name: str) -> str:
    if name.startswith("CATEGORY_NOT"):
        away = _category(name.replace("NOT_", ""))
        return "".join(char for char in PRINTABLE + "-_." if char not in away)
    return {
        "CATEGORY_DIGIT": string.digits,
        "CATEGORY_SPACE": " ",
        "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    }.get(name, "")


def _bounds(schema: Schema, *, whole: bool) -> tuple[float, float]:
    """The closed interval that a number may lie in."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and (low is None or above >= low):
        low = math.floor(above) + 1 if whole else math.nextafter(above, math.inf)
    if below is not None and (high is None or below <= high):
        high = math.ceil(below) - 1 if whole else math.nextafter(below, -math.inf)
    spread = max(1000, 10 * (schema.get("multipleOf") or 0))
    if low is None:
        low = 0 if high is None or high > 0 else high - spread
    return low, low + spread if high is None else high
