from __future__ import annotations

import pytest

from builder.check import checksums, pii

VALID = {
    "card": [
        "4111111111111111",
        "4012 8888 8888 1881",
        "4222222222222",
        "5555-5555-5555-4444",
        "2221000000000009",
        "2720990000000007",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "38520000023237",
        "6200000000000005",
        "6759649826438453",
    ],
    "iban": [
        "GB82 WEST 1234 5698 7654 32",
        "DE89370400440532013000",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO93 8601 1117 947",
        "MT84MALT011000012345MTLCAST001S",
        "CH93 0076 2011 6238 5295 7",
        "nl91 abna 0417 1643 00",
    ],
    "chinese_id": [
        "11010519491231002X",
        "34052419800101001X",
        "11010519491231002x",
    ],
    "chinese_mobile": [
        "13800138000",
        "+86 139 1234 5678",
        "8615912345678",
        "191-2345-6789",
        "１３８００１３８０００",
        "0086 18612345678",
    ],
    "ssn": ["536-90-4399", "001-01-0001", "899 99 9999", "665-12-3456"],
    "email": [
        "a.b+c@mail.co.uk",
        "o'neil@uni-x.edu",
        "张三的邮箱zhang_san@qq.com。",
        "x@sub.sub2.io",
    ],
    "phone": [
        "+44 20 7946 0958",
        "+49 (0)30 901820",
        "+33 1 42 68 53 00",
        "+1 415 867 5309",
        "(212) 867-5309",
        "212-867-5309",
        "1.212.867.5309",
        "010-62781234",
        "0755-86013388",
        "01 42 68 53 00",
        "07911 123456",
        "020 7946 0958",
        "+55 11 91234-5678",
        "0049 30 901820",
        "+852 2123 4567",
    ],
    "ip": ["8.8.8.8", "221.130.33.60", "2001:4860:4860::8888", "2a00:1450:4001:81b:0:0:0:200e"],
    "api_key": [
        "sk-proj-" + "a1B2c3D4e5" * 4,
        "sk-ant-api03-" + "Zx9_y8-W7v6" * 3,
        "AKIAJ3QRXYZ7KLMN2345",
        "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
        "ghp_" + "aB3dE6gH9" * 4,
        "glpat-aB3dE6gH9kLmN0pQrStU",
        "xoxb-123456789012-abcDEF123ghi",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ12345678",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    ],
    "private_key": ["-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"],
}
INVALID = {
    "card": [
        "4111111111111112",
        "411111111111111",
        "0000000000000000",
        "9111111111111111",
        "2220999999999999",
        "20261122345678",
        "1234567812345670",
        "41111111111111114111111111111111",
    ],
    "iban": [
        "GB82 WEST 1234 5698 7654 33",
        "DE8937040044053201300",
        "ZZ82 WEST 1234 5698 7654 32",
        "FR76 0000",
    ],
    "chinese_id": [
        "110105194912310021",
        "11010519491331002X",
        "99010519491231002X",
        "11010517491231002X",
        "111111111111111111",
    ],
    "chinese_mobile": ["12800138000", "1380013800", "138001380001", "15412345678", "a13800138000"],
    "ssn": [
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "536-00-4399",
        "536-90-0000",
        "078-05-1120",
        "536904399",
        "536-90-43990",
    ],
    "email": [
        "a@b",
        "@mail.com",
        "a..b@mail.com",
        ".a@mail.com",
        "a@-mail.com",
        "twitter @user",
        "a@1.2",
    ],
    "phone": [
        "+0 123 456 789",
        "+44 12",
        "2026-11-22",
        "112-867-5309",
        "212-111-5309",
        "400-820-8820",
        "12:30:45",
        "订单号 20261122-0001",
        "1234567890123456",
    ],
    "ip": [
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "v1.2.3.4",
        "12:30:45",
        "std::vector",
        "::",
    ],
    "api_key": ["sk-", "sk-this-is-only-a-long-hyphenated-name", "AKIA123", "hf_short", "ghp_123"],
    "private_key": ["-----BEGIN PUBLIC KEY-----"],
}
PLACEHOLDERS = [
    "ann@example.com",
    "a@b.test",
    "192.168.1.20",
    "127.0.0.1",
    "203.0.113.9",
    "2001:db8::1",
    "(212) 555-0147",
]


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in VALID.items() for v in values])
@pytest.mark.parametrize("around", ["{}", "call {} now", "号码是{},谢谢", '"{}"'])
def test_valid_numbers_are_found_as_their_kind(kind: str, value: str, around: str) -> None:
    found = pii.find(around.format(value))
    assert [hit.kind for hit in found] == [kind], found
    assert not found[0].placeholder


@pytest.mark.parametrize(
    ("kind", "value"), [(k, v) for k, values in INVALID.items() for v in values]
)
@pytest.mark.parametrize("around", ["{}", "call {} now", "号码是{},谢谢"])
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
