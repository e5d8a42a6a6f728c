"""What is wrong with a template's text is named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError

from builder.errors import InputError, Place
from builder.project import template_errors


def file(folder: Path, text: str) -> Path:
    path = folder / "x.j2"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("source", "place", "hint"),
    [
        ("a\nb ｛｛ tone ｝｝", "2:3", "write {{ tone }}"),
        ("{％ if x %}", "1:1", "write {% if x %}"),
        ("{{ tone }｝", "1:9", "write }}"),
        ("{# ｛｛ #}\n{% raw %}｛｛{% endraw %} ｛｛", "2:25", "write {{"),
    ],
)
def test_a_full_width_sign_is_refused_where_it_stands(
    source: str, place: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        template_errors.no_full_width(tmp_path / "x.j2", source)
    where = refused.value.place
    assert where is not None
    assert (f"{where.line}:{where.column}", refused.value.hint) == (place, hint)


@pytest.mark.parametrize(
    "source", ["{{ tone }}", "全角：｛a｝", "{# ｛｛ #}", "{% raw %}｛｛{% endraw %}"]
)
def test_other_texts_pass(source: str, tmp_path: Path) -> None:
    template_errors.no_full_width(tmp_path / "x.j2", source)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UndefinedError("'x' is undefined"), "'x' is undefined"),
        (UndefinedError(), "undefined"),
        (SecurityError("no"), "not allowed in a template: no"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), "half of a surrogate pair, which no model can read"),
        (ZeroDivisionError("division by zero"), "rendering failed: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_reason_is_given_in_plain_words(error: Exception, reason: str) -> None:
    assert template_errors.reason(error) == reason


def test_a_word_is_found_by_itself_and_best_within_signs(tmp_path: Path) -> None:
    path = file(tmp_path, "tones tone\ntone {{ tone }} {% if tone %}\nlast\n")
    assert template_errors.find(path, "tone") == Place(path, 1, 7)
    assert template_errors.find(path, "tone", 2) == Place(path, 2, 9)
    assert template_errors.find(path, "tone", 3) == Place(path, 3, 1)
    assert template_errors.find(path, "}}") == Place(path, 2, 14)


def test_a_sign_is_the_first_of_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, "a {{ b }} {% c %}\n  plain\n")
    assert template_errors.sign(path, 1) == Place(path, 1, 3)
    assert template_errors.sign(path, 2) == Place(path, 2, 3)
    assert template_errors.sign(path, 9) == Place(path, 9, 1)
    assert template_errors.sign(tmp_path / "gone.j2", 1) == Place(tmp_path / "gone.j2", 1, 1)


def test_the_last_block_that_is_open_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, "{% if a %}{% endif %}\n {% if b %}\nend\n")
    message = "The innermost block that needs to be closed is 'if'."
    error = template_errors.syntax(TemplateSyntaxError(message, 3, filename=str(path)), path)
    assert error.place == Place(path, 2, 2)
    assert error.message == "not a template: the block 'if' is not closed"
    assert error.hint == "write {% endif %} behind it"


def test_a_full_width_sign_in_code_is_placed_and_repaired(tmp_path: Path) -> None:
    path = file(tmp_path, "x\n{{ a｜b }}\n")
    error = template_errors.syntax(TemplateSyntaxError("unexpected char '｜' at 5", 2), path)
    assert error.place == Place(path, 2, 5)
    assert error.hint == "a full-width '｜' stands here; write '|'"
