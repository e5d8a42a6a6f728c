"""Elements of a picture: well formed, and nothing in them leaves them."""

from __future__ import annotations

import re
from xml.dom import minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import svg, text


@given(st.text(max_size=30))
def test_any_text_is_inert_in_an_element_and_in_an_attribute(words: str) -> None:
    page = svg.document(words, 10, 10, svg.label(0, 0, words, class_=words))
    parsed = minidom.parseString(page.encode())
    (label,) = parsed.getElementsByTagName("text")
    content = [node.data for node in label.childNodes if isinstance(node, minidom.Text)]
    assert "".join(content) == text.plain(words)
    assert label.getAttribute("class") == text.plain(words)


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3"), (3.0, "3"), (2.25, "2.2"), (0.04, "0"), (-1.5, "-1.5")]
)
def test_a_coordinate_has_one_decimal_where_it_needs_one(value: float, shown: str) -> None:
    assert svg.coordinate(value) == shown


def test_attributes_are_named_as_svg_names_them() -> None:
    assert svg.line(0, 1, 2, 3, stroke_width=1.5) == (
        '<line x1="0" y1="1" x2="2" y2="3" stroke-width="1.5"/>'
    )
    assert svg.rect(1, 2, 3, 4, class_="ours") == (
        '<rect x="1" y="2" width="3" height="4" class="ours"/>'
    )
    assert svg.rect(1, 2, -3, -4).endswith('width="0" height="0"/>')
    assert svg.at(1.25, 2, "<g/>") == '<g transform="translate(1.2 2)"><g/></g>'


def test_a_label_is_cut_to_its_room() -> None:
    room = 5 * svg.LETTER
    assert ">abcde<" in svg.label(0, 0, "abcde", room=room)
    assert ">abcd…<" in svg.label(0, 0, "abcdef", room=room)
    assert ">退款<" in svg.label(0, 0, "退款", room=room)
    assert ">退款…<" in svg.label(0, 0, "退款申", room=room)
    assert ">abcdef<" in svg.label(0, 0, "abcdef")
    assert 'text-anchor="end"' in svg.label(0, 0, "a", "end")


def test_a_document_says_how_large_it_is_and_loads_nothing() -> None:
    page = svg.document("a title", 100, 50.5)
    assert 'viewBox="0 0 100 50.5" width="100" height="50.5"' in page
    assert "<title>a title</title>" in page
    assert f'fill="{svg.PALETTE["card"]}"' in page
    assert re.findall(r"https?://[^\"]*", page) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|src=|url\(", page)


def test_the_palette_is_of_plain_colours_and_has_one_for_each_verdict() -> None:
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in svg.PALETTE.values())
    assert {"pass", "warn", "fail", "ours", "reference", "missing"} <= set(svg.PALETTE)
