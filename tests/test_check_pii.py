from __future__ import annotations

import pytest

from builder.quality import checksums, pii
from tests.numbers_of_people import AROUND, INVALID, PLACEHOLDERS, VALID


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in VALID.items() for v in values])
@pytest.mark.parametrize("around", [*AROUND, '"{}"'])
def test_valid_numbers_are_found_as_their_kind(kind: str, value: str, around: str) -> None:
    found = pii.find(around.format(value))
    assert [hit.kind for hit in found] == [kind], found
    assert not found[0].placeholder


@pytest.mark.parametrize(
    ("kind", "value"), [(k, v) for k, values in INVALID.items() for v in values]
)
@pytest.mark.parametrize("around", AROUND)
def test_invalid_numbers_are_not_that_kind(kind: str, value: str, around: str) -> None:
    assert kind not in [hit.kind for hit in pii.find(around.format(value))]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_reserved_names_and_numbers_are_placeholders(value: str) -> None:
    assert [hit.placeholder for hit in pii.find(f"see {value}, please")] == [True]


def test_every_kind_has_valid_and_invalid_examples() -> None:
    assert set(VALID) == set(INVALID) == set(pii.KINDS)


def test_overlaps_are_settled_by_the_stronger_checksum() -> None:
    # Both a Chinese identity number and, digits alone, a number that passes Luhn.
    found = [
        f"62{region:04d}19{year:02d}0101{serial:03d}"
        for region in (102, 421)
        for year in range(60, 99)
        for serial in range(20)
    ]
    both = [
        whole
        for head in found
        for check in "0123456789"
        if checksums.luhn(whole := head + check)
        and [h.kind for h in pii.find(whole)] == ["chinese_id"]
    ]
    assert both


def test_a_social_security_number_without_hyphens_needs_its_name_before_it() -> None:
    assert [hit.kind for hit in pii.find("SSN: 536904399")] == ["ssn"]
    assert pii.find("order 536904399") == []


def test_several_hits_of_one_text_are_in_order_and_masked() -> None:
    text = "Mail ann@mail.com or ring 13800138000, card 4111 1111 1111 1111."
    assert [hit.kind for hit in pii.find(text)] == ["email", "chinese_mobile", "card"]
    assert "4111" not in pii.mask(text)
    assert "mail.com" not in pii.mask(text)
    assert pii.scan([text, "plain", "a@mail.com"])["email"] == [0, 2]


def test_long_runs_of_digits_and_colons_end_soon() -> None:
    for text in (
        "1" * 20_000,
        "1 " * 10_000,
        "a:" * 10_000,
        "a@" * 10_000,
        "+1 " * 5_000,
        "a." * 9_000 + "@",
    ):
        assert isinstance(pii.find(text), list)
