"""What is wrong with a template's text, and where."""

import re
from pathlib import Path

from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError

from builder.errors import InputError, Place
from builder.project import typos
from builder.table.reader import read_text


def no_full_width(file: Path, source: str) -> None:
    """InputError for a sign of a template in full-width marks, comments and raw text aside."""
    unread = re.compile(r"\{#.*?#\}|\{%[-+]?\s*raw\b.*?\bendraw\s*[-+]?%\}", re.DOTALL)
    bare = unread.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), source)
    if wide := re.search(r"｛[｛{%％]|\{[｛％]|[｝}%％]｝", bare):
        ahead = bare[: wide.start()]
        whole = re.compile(r"[｛{][｛{%％].*?[｝}%％][｝}]").search(bare, wide.start())
        raise InputError(
            f"{wide[0]!r} is no sign of a template, so it would be printed as it stands",
            place=Place(file, ahead.count("\n") + 1, len(ahead) - ahead.rfind("\n")),
            hint=f"write {typos.narrow(whole[0] if whole else wide[0])}",
        )


def syntax(error: TemplateSyntaxError, file: Path) -> InputError:
    """The error of a file that is no template, at its line and column."""
    at = Path(error.filename) if error.filename else file
    message = error.message or "syntax error"
    wide = re.search(r"'([^\x00-\x7f])'", message)
    hint = f"a full-width {wide[1]!r} stands here" if wide else ""
    if hint and wide and typos.narrow(wide[1]) != wide[1]:
        hint += f"; write {typos.narrow(wide[1])!r}"
    place = find(at, wide[1], error.lineno) if wide else sign(at, error.lineno)
    if unclosed := re.search(r"block that needs to be closed is '(\w+)'", message):
        opened = [
            Place(at, number, match.start() + 1)
            for number, line in enumerate(read_text(at).split("\n")[: error.lineno], 1)
            for match in re.finditer(rf"\{{%[-+]?\s*{unclosed[1]}\b", line)
        ]
        place = opened[-1] if opened else place
        message = f"the block '{unclosed[1]}' is not closed"
        hint = f"write {{% end{unclosed[1]} %}} behind it"
    return InputError(f"not a template: {message}", place=place, hint=hint)


def reason(error: BaseException) -> str:
    """Why a rendering failed."""
    match error:
        case UndefinedError():
            return error.message or "undefined"
        case SecurityError():
            return f"not allowed in a template: {error}"
        case UnicodeEncodeError():
            return "half of a surrogate pair, which no model can read"
        case RecursionError():
            return "nested without end: does a template include itself?"
    return f"rendering failed: {type(error).__name__}: {error}"


def find(file: Path, word: str, line: int = 1) -> Place:
    """The first place from a line on where a word stands by itself, best within {{ }} or {% %}."""
    pattern = re.compile(
        rf"(?<!\w){re.escape(word)}(?!\w)" if word[:1].isalnum() else re.escape(word)
    )
    for number, text in enumerate(read_text(file).split("\n"), 1):
        if matches := list(pattern.finditer(text)) if number >= line else []:
            inner = [m for m in matches if re.search(r"\{[{%](?:(?![%}]\}).)*$", text[: m.start()])]
            return Place(file, number, (inner or matches)[0].start() + 1)
    return sign(file, line)


def sign(file: Path, line: int) -> Place:
    """The first template sign of a line, where its trouble most likely is."""
    lines = read_text(file).split("\n") if file.is_file() else []
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    opening = re.search(r"\{[{%#]", text)
    return Place(file, line, opening.start() + 1 if opening else len(text) - len(text.lstrip()) + 1)
