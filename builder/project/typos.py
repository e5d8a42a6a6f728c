"""The usual typos of people who write YAML, many of them in Chinese: where they stand, how to repair them.

A parser says where it gave up, which is often a line below the typo. What is known here are
the typos themselves: full-width signs, brackets and quotes left open, a text that wants quotes.
"""

import re
from typing import NamedTuple

_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {
    ord(wide): plain for wide, plain in zip("　“”‘’、。【】", " \"\"'',.[]", strict=True)
}

# Complaints about signs that mean something to YAML, each with the sign where it stands before.
_BEGINNINGS = (
    ("that cannot start", ""),
    ("node content", ""),
    ("keys are not allowed", ""),
    ("entries are not allowed", ""),
    ("expected URI", "!"),
    ("undefined alias", "*"),
    ("expected chomping", "|"),
    ("a comment or a line break", ">"),
)


class Typo(NamedTuple):
    """A typo: what is wrong, how to repair it, and its line and column counted from 0."""

    problem: str
    hint: str
    row: int
    column: int


Mark = tuple[int, int] | None  # Line and column where a parser stood, counted from 0.


def narrow(text: str) -> str:
    """The text with its full-width signs as a keyboard without them types it.

    >>> narrow("５ each")
    '5 each'
    """
    return text.translate(_NARROW)


def hint(value: object) -> str:
    """What to write instead of a value that full-width signs spoiled; else the empty string."""
    if isinstance(value, str) and narrow(value) != value:
        return f"full-width signs stand here; write {narrow(value)}"
    return ""


def model(name: str) -> str:
    """The model with the provider that its name tells of; empty where it tells of none.

    >>> model("gpt-5-mini")
    'openai:gpt-5-mini'
    """
    for provider, beginning in (("openai", r"gpt-|o\d"), ("anthropic", "claude-")):
        if re.match(beginning, name):
            return f"{provider}:{name}"
    return ""


def wide_colon(text: str) -> int:
    """Where in a text a full-width colon stands for the one behind a key, -1 where none does."""
    colon = re.match(r"""[^\s:："']+(：)""", text)
    return colon.start(1) if colon else -1


def find(text: str, problem: str, mark: Mark, context: str, opened: Mark) -> Typo:
    """The typo behind a parser's complaint. `opened` is where began what it could not end."""
    lines = text.split("\n")
    row, column = mark or opened or (0, 0)
    at = (min(row, len(lines) - 1), column)
    if "quoted scalar" in context and "end of stream" in problem and opened:
        quote = lines[opened[0]][opened[1]]
        return Typo(f"the quote {quote} that opens here is never closed", "", *opened)
    if "another document" in problem:
        return Typo("a second document begins here", "take out the line ---", *at)
    begun = opened if opened and "flow" in context else None
    for row in dict.fromkeys((*(begun or ())[:1], at[0], at[0] - 1)):
        if sign := _full_width(lines, row):
            return Typo(problem, sign[0], row, sign[1])
    if begun:
        bracket = lines[begun[0]][begun[1]]
        return Typo(f"the {bracket!r} that opens here is not closed: {problem}", "", *begun)
    if "simple key" in context and opened:
        return Typo("a key without ': ' behind it", "write key: value", *opened)
    return _quoted(lines, problem, *at)


def _full_width(lines: list[str], row: int) -> tuple[str, int] | None:
    """What to write for a full-width sign that stands where YAML wants its own, and its column."""
    line = lines[row] if 0 <= row < len(lines) else ""
    bare = re.sub(r"""(["'])(?:(?!\1).)*\1""", lambda m: "_" * len(m[0]), line)
    for pattern in (
        r"^\s*(?:-\s+)?[^\s:：]+(：)",  # behind a key
        r"(?:^|:\s|-\s)\s*([［｛【])",  # before a list or mapping
        r"[\[{][^\]}]*([，：］｝】])",  # within one
    ):
        if sign := re.search(pattern, bare):
            wide = sign[1]
            return f"a full-width {wide!r} stands here; YAML wants {narrow(wide)!r}", sign.start(1)
    if space := re.search(r"(?:^\s*|:)([\u3000\u00a0])", bare):
        kind = "full-width space" if space[1] == "\u3000" else "no-break space"
        return f"a {kind} stands here; YAML wants an ordinary one", space.start(1)
    return None


def _quoted(lines: list[str], problem: str, row: int, column: int) -> Typo:
    """A text that wants quotes, or others; where there is none, the problem without a repair."""
    for at in (row, row - 1):
        line = lines[at] if 0 <= at < len(lines) else ""
        if re.match(r"""\s*-\s+(['"]).*\1\s*\S""", line):
            repair = (
                "an expression that begins with a quote needs quotes around the whole: "
                """- "'延迟发货' == trigger\""""
            )
            return Typo(problem, repair, at, len(line) - len(line.lstrip("- ")))
    line = lines[row] if 0 <= row < len(lines) else ""
    begun = next((sign for words, sign in _BEGINNINGS if words in problem), None)
    nested = "mapping values" in problem
    repairs = (
        ("\t" in line[: column + 1], "indent with spaces: YAML allows no tab here"),
        (
            begun is not None,
            f"quote a text that begins with {begun or line[column : column + 1]!r}",
        ),
        (
            "escape" in problem,
            "within double quotes a backslash is written twice; single quotes take it as it is",
        ),
        (nested and line.count(": ") + line.endswith(":") > 1, "quote a text that holds ': '"),
        ("<scalar>" in problem, "quote the text as a whole"),
        (
            nested or "<block end>" in problem,
            "lines of one mapping or list begin in the same column",
        ),
    )
    return Typo(problem, next((text for fits, text in repairs if fits), ""), row, column)
