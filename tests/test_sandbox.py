"""The sandbox of templates: its bounds from both sides, and what is printed as it is."""

from __future__ import annotations

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from builder.project import carriers
from builder.project.sandbox import MAX_BITS, MAX_TEXT, WIDEST, Environment, Missing

SANDBOX = Environment(undefined=Missing)


def rendered(template: str, **variables: object) -> str:
    return SANDBOX.from_string(template).render(variables)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'a' ~ 1 ~ none }}", "a1None"),
        ("{{ [1, 2]|join('-') }}", "1-2"),
        ("{{ [{'a': 1}, {'a': 2}]|join('-', attribute='a') }}", "1-2"),
        ("{{ 'a-b'.replace('-', '+') }}{{ 'aa'|replace('a', 'b', 1) }}", "a+bba"),
        ("{{ '-'.join(['a', 'b']) }}", "a-b"),
        ("{{ {'a': '中'}|tojson }}{{ [1]|tojson(indent=1) }}", '{"a": "中"}[\n 1\n]'),
        ("{{ 7 % 4 }} {{ 3 * 4 }} {{ 'a' + 'b' }} {{ [1] + [2] }}", "3 12 ab [1, 2]"),
        ("{{ (6).bit_length() }} {{ 'A'.lower() }} {{ (1, 1).count(1) }}", "3 a 2"),
        ("{{ 2.5|round(1) }} {{ [1, 2, 3]|batch(2)|list }}", "2.5 [[1, 2], [3]]"),
        ("{{ '%05.1f'|format(2.5) }} {{ '{:>3}'.format(1) }}", "002.5   1"),
        ("{{ {'items': 1}.items }} {{ {'a': 1}.get('b', 2) }}", "1 2"),
        ("{{ 'ab'|center(4) }}|{{ 1|string }}", " ab |1"),
    ],
)
def test_what_people_write_is_rendered(template: str, text: str) -> None:
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("inside", "beyond"),
    [
        ("'x'|center(%d)", WIDEST),
        ("1|string|indent(%d)", WIDEST),
        ("[1]|batch(%d)|list|length", WIDEST),
        ("[1]|tojson(indent=%d)", WIDEST),
        ("(' '|center(500) ~ ' '|center(500))[:%d]|length", None),
    ],
)
def test_a_width_may_be_a_thousand_and_no_more(inside: str, beyond: int | None) -> None:
    rendered("{{ " + inside % WIDEST + " }}")
    if beyond is not None:
        with pytest.raises(SecurityError, match="a width is at most 1000, not 1001"):
            rendered("{{ " + inside % (beyond + 1) + " }}")


def test_a_text_may_have_its_length_and_no_more() -> None:
    half = "x" * (MAX_TEXT // 2)
    for template in ("{{ a ~ b }}", "{{ a + b }}", "{{ [a, b]|join }}", "{{ a }}{{ b }}"):
        assert len(rendered(template, a=half, b=half)) == MAX_TEXT
        with pytest.raises(SecurityError, match="at most 2000000 characters"):
            rendered(template, a=half, b=half + "x")
    fifth = "x" * (MAX_TEXT // 5)
    assert len(rendered("{{ a.replace('x', 'yyyy') }}", a=fifth)) == 4 * len(fifth)
    with pytest.raises(SecurityError, match="at most"):
        rendered("{{ a.replace('x', 'yyyy') }}", a=fifth + "x")


def test_a_whole_number_may_have_so_many_bits() -> None:
    half = 2 ** (MAX_BITS // 2 - 1)
    assert int(rendered("{{ a * a }}", a=half)) == half * half
    with pytest.raises(SecurityError, match="at most 4096 bits"):
        rendered("{{ a * b }}", a=half, b=half * 2)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ range }}", "a function is called by"),
        ("{{ [[range]] }}", "a function is called by"),
        ("{{ {'a': range} }}", "a function is called by"),
        ("{{ 'a' ~ range }}", "a function is called by"),
        ("{{ [1]|map('string') }}", "printed one by one"),
        ("{{ namespace() }}", "a Namespace cannot be printed"),
        ("{{ 2 ** 3 }}", "is not allowed in a template"),
        ("{{ 'a' * 3 }}", "'*' takes numbers"),
        ("{{ '%*d' % (3, 1) }}", "'%' takes numbers; write '%d'"),
        ("{{ '%1000d'|format(1) }}", "a width in '%1000d' is above 1000"),
        ("{{ '{:1000}'.format(1) }}", "is above 1000 or not written out"),
        ("{{ 'a'.encode() }}", "access to attribute 'encode'"),
        ("{{ [1].append(2) }}", "access to attribute 'append'"),
    ],
)
def test_what_leads_out_or_on_without_end_is_refused(template: str, message: str) -> None:
    with pytest.raises(SecurityError) as refused:
        rendered(template)
    assert message in str(refused.value)


def test_attributes_of_the_scenario_are_named_where_one_is_missing() -> None:
    tone = carriers.carrier("glad", {"face": "smile"})
    assert rendered("{{ tone }} {{ tone.face }}", tone=tone) == "glad smile"
    for template, who in (("{{ tone.fase }}", "'glad'"), ("{{ {'face': 1}.fase }}", "a mapping")):
        with pytest.raises(UndefinedError) as refused:
            rendered(template, tone=tone)
        assert str(refused.value) == (
            f"{who} has no attribute 'fase'. Did you mean 'face'? It has: face"
        )
    with pytest.raises(UndefinedError, match="It has: nothing"):
        rendered("{{ {}.face }}")


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}])
def test_what_is_no_text_or_number_carries_no_attributes(value: object) -> None:
    assert carriers.carrier(value, {"face": "smile"}) is None
    assert carriers.attributes(value) == {}


@pytest.mark.parametrize("value", ["glad", 3, 2.5])
def test_a_value_that_carries_attributes_is_still_the_value(value: object) -> None:
    carrier = carriers.carrier(value, {"face": "smile"})
    assert carrier == value
    assert isinstance(carrier, type(value))
    assert carriers.attributes(carrier) == {"face": "smile"}
