"""The JSON objects in a reply: what a person would read as the answer, and nothing guessed.

A reply that is whole JSON is taken as it is. Else leading reasoning is dropped, and each whole
object in what is left is a candidate; the schema says which one is the answer. Only where there
is none, one object is repaired, for its syntax alone: a cut end is not completed, and no number
or word may come or go on the way. The table of replies in docs/answers.md is what tests hold.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice

from pydantic_core import from_json

_TAGS = "think|thinking|thought|thoughts|reasoning|analysis|reflection|scratchpad"
_REASONING = re.compile(
    rf"<(?P<close>/)?(?:{_TAGS})>|\[(?P<close2>/)?THINK\]|◁(?P<close3>/)?think▷", re.IGNORECASE
)
# What a reply with reasoning before its text begins with.
_LEADING = re.compile(
    r"^\s*(?:<(?:think|thinking|reasoning)>|\[THINK\]|◁think▷|<\|channel\|>)|^[^<]*</think>",
    re.IGNORECASE,
)
# Where the last channel of the harmony format begins; those before it are reasoning.
_FINAL = re.compile(r"<\|channel\|>final(?:\s*<\|[^|]*\|>[^<]*)?<\|message\|>")
_COMMENTS = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_ESCAPES = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PUNCTUATION = re.compile(r"""[\s{}\[\]:,"'`\\“”‘’：，]+""")
_LITERALS = {"True": "true", "False": "false", "None": "null"}
_BRACES = re.compile(r'"(?:\\.|[^"\\])*"|[{}]', re.DOTALL)
_DECODER = json.JSONDecoder()
# Takes line ends within strings: no reason to believe that an answer was cut off.
_LENIENT = json.JSONDecoder(strict=False)
# Opening braces that no whole object begins at and that are looked into, at most.
STARTS = 16
LONGEST = 100_000  # Characters of an object that is repaired, at most.
_KEY = re.compile(r"\{\s*[\"'“\w]")  # How an object begins, whatever its syntax.


class NoJsonError(ValueError):
    """The reply holds no whole JSON object."""


def objects(reply: str) -> list[str]:
    """The candidates for the answer as JSON texts, in their order, equal ones once.

    Raises NoJsonError where there is none: no object at all, one that was cut off, or reasoning
    without an end.
    """
    text = reply.strip().removeprefix("\ufeff")
    whole = _whole(text)
    if whole is not None:
        return [whole]
    rest = without_reasoning(text).strip()
    whole = _whole(rest)
    if whole is not None:
        return [whole]
    candidates, cut = _candidates(rest)
    if cut:
        raise NoJsonError(f"not JSON: {short(rest)}, which is cut off")
    if not candidates:
        candidates = [_repaired(rest)]
    values = [json.loads(candidate) for candidate in candidates]
    return [text for at, text in enumerate(candidates) if values[at] not in values[:at]]


def without_reasoning(text: str) -> str:
    """A reply without the reasoning before its answer: what stands in tags, or before a closing
    one. Reasoning that never ends takes all that follows it.

    >>> without_reasoning("<think>perhaps 3? no</think> 4")
    ' 4'
    """
    final = [match.end() for match in _FINAL.finditer(text)]
    if final:
        text = text[final[-1] :].split("<|", 1)[0]
    if not _REASONING.search(text):
        return text
    spans = [span for span in _spans(text) if _REASONING.search(text, *span)]
    answer, start, opened = "", 0, False
    for tag in _REASONING.finditer(text):
        if any(first <= tag.start() < end for first, end in spans):
            continue  # a tag within an object is a part of its text
        if any(tag.group("close", "close2", "close3")):
            answer = answer if opened else ""
            start, opened = tag.end(), False
        elif not opened:
            answer, opened = answer + text[start : tag.start()], True
    return answer if opened else answer + text[start:]


def text_of(reply: str) -> str:
    """The text that a reply in prose is, without leading reasoning. NoJsonError where that is all."""
    if not _LEADING.search(reply):
        return reply
    text = without_reasoning(reply).strip()
    if not text:
        raise NoJsonError("only reasoning, no answer")
    return text


def short(text: str) -> str:
    """The beginning of a text in one line."""
    flat = " ".join(text[:400].split())
    return flat if len(flat) <= 80 and len(text) <= 400 else flat[:79] + "…"


def _whole(text: str) -> str | None:
    """The object that a text is from end to end, also where it is quoted as a JSON string."""
    if text[:1] not in ("{", '"'):
        return None
    try:
        value = from_json(text)
    except ValueError:
        return None
    if isinstance(value, str):
        return _whole(value.strip()) if value.lstrip().startswith("{") else None
    return text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the whole objects of a text begin and end."""
    start = text.find("{")
    while start >= 0:
        try:
            _, end = _DECODER.raw_decode(text, start)
        except RecursionError:
            return  # nested deeper than any answer
        except ValueError:
            end = start + 1
        else:
            yield start, end
        start = text.find("{", end)


def _candidates(text: str) -> tuple[list[str], bool]:
    """The objects of a text, and whether one was cut off by its end.

    A broken object around whole ones is repaired as one: what it holds is no answer by itself.
    """
    candidates: list[str] = []
    ends = dict(_spans(text))
    start, broken = text.find("{"), 0
    while start >= 0 and broken < STARTS:
        end = ends.get(start, 0)
        if end:
            candidates.append(text[start:end])
        elif _is_cut(text[start:]):
            return [], True
        else:
            repaired, end = None, start + 1
            if _KEY.match(text, start):
                broken += 1
                closing = _closing(text, start)
                repaired = _repair(text[start:closing], text[closing:])
            if repaired is not None:
                candidates.append(repaired)
                end = closing
        start = text.find("{", end)
    return candidates, False


def _is_cut(text: str) -> bool:
    """Whether an object begins here that only its end is missing of."""
    try:
        _LENIENT.raw_decode(text)
    except json.JSONDecodeError as error:
        missing = error.msg.startswith("Unterminated string")
        return missing or re.fullmatch(r"[\w.+-]*\s*", text[error.pos :]) is not None
    except (RecursionError, ValueError) as error:
        return isinstance(error, RecursionError)
    return False


def _closing(text: str, start: int) -> int:
    """Where the brace that opens here is closed, outside of double-quoted strings; its end if never."""
    depth = 0
    for match in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and match[0] == "}":
            return match.end()
    return len(text)


def _repaired(text: str) -> str:
    """The one object of a text with its syntax repaired. Raises NoJsonError."""
    if "{" not in text:
        raise NoJsonError(f"no JSON object in the answer: {short(text) or 'it is empty'}")
    end = text.rfind("}") + 1
    for match in islice(_KEY.finditer(text[:end]), STARTS):
        repaired = _repair(text[match.start() : end], text[end:])
        if repaired is not None:
            return repaired
    raise NoJsonError(f"not JSON: {short(text)}")


def _repair(source: str, after: str) -> str | None:
    """An object with quotes, commas, comments and literals put right; None where more than syntax
    would change, or its last brace stands in a text that goes on in `after`."""
    from json_repair import repair_json

    if len(source) > LONGEST or not any(colon in source for colon in ":："):
        return None
    source = _COMMENTS.sub(lambda match: match[1] or "", source)
    if _ends_within_a_string(source, after):
        return None
    try:
        value = repair_json(source, return_objects=True, ensure_ascii=False)
        repaired = json.dumps(value, ensure_ascii=False)
        texts = list(_leaves(value))
    except (RecursionError, ValueError, IndexError):
        return None
    if not isinstance(value, dict) or not value or _plain("".join(texts)) != _words(source):
        return None
    quote = _quote(source)
    # A quote at an end was taken for a part of the text, so where texts end is a guess.
    guessed = any(quote and quote in (text[:1], text[-1:]) for text in texts)
    return None if guessed else repaired


def _ends_within_a_string(source: str, after: str) -> bool:
    """Whether the last brace stands in a text that goes on behind it."""
    if not re.search(r"\w", after):
        return False
    quote = _quote(source)
    unescaped = re.sub(r"\\.", "", source, flags=re.DOTALL)
    return bool(quote) and unescaped.count(quote) % 2 == 1


def _quote(source: str) -> str:
    """The quotation mark that an object writes its first key with, or none."""
    return next((char for char in source if char in "\"'"), "")


def _words(source: str) -> str:
    """What a JSON-like text says, without its syntax."""
    return _plain(_ESCAPES.sub(_unescaped, source))


def _plain(text: str) -> str:
    literals = re.sub(r"\b(?:True|False|None)\b", lambda match: _LITERALS[match[0]], text)
    return _PUNCTUATION.sub("", literals)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "u" and len(code) == 5:
        return chr(int(code[1:], 16))
    return " " if code in "ntrbf" else code


def _leaves(value: object) -> Iterator[str]:
    """The keys and scalars of a value in their order, as they are written."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value if isinstance(value, str) else json.dumps(value)
