"""Inputs that look odd and are right: each a few files over the base project."""

from __future__ import annotations

from collections.abc import Mapping

from tests.projects import BASE, PROMPT, SCENARIO, SCHEMA, SETTINGS

Files = Mapping[str, str | bytes]
RULES = '{"a": [1, 2.50, null, true], "政策": "七天，无理由"}'
ORDERS = (
    'city,amount,code,note\r\n"Beijing, 北京",10,007,"two\nlines"\r\n'
    "Rome,20.5,12345678901234567890,\r\n\r\n"
)
NESTED = """\
from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, computed_field, model_validator


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Part(BaseModel):
    text: str = Field(max_length=20)
    parts: list[Part] = Field(default=[], max_length=1)


class Letter(BaseModel):
    \"\"\"A letter.\"\"\"

    model_config = ConfigDict(title="Brief", extra="forbid")

    text: str = Field(min_length=5, max_length=80, description="what is said；in full")
    part: Part
    mood: Mood | None = None
    kind: Literal["a", "b", 3] = "a"
    tags: set[str] = Field(default={"x", "y"}, max_length=2)
    secret: str = Field(default="", max_length=9, exclude=True)
    Titel: Annotated[str, Field(alias="Title", max_length=9)]

    @computed_field
    @property
    def length(self) -> int:
        return len(self.text)

    @model_validator(mode="after")
    def short(self, info: ValidationInfo) -> Letter:
        assert (info.context or {}).get("tone") in ("glad", "sad", None)
        return self
"""
TEMPLATE = """\
{#- a comment with {{ braces }} and ｛｛ none ｝｝ -#}
{% extends "parts/base.j2" %}
{% import "parts/macros.j2" as macros %}
{% block rules %}
{{ super() }}
{% for rule in rules %}{{ loop.index }}. {{ rule|upper }}{{ ", " if not loop.last }}{% endfor %}
{% for name, value in more.items() %}{{ name }}={{ value }};{% endfor %}
{{ more.items_ }} {{ more["keys"] }} {{ ", ".join(rules) }} {{ "%.1f"|format(2.25) }} {{ "{:.2f}".format(1) }}
{{ rules|map("title")|join(" · ") }} {{ rules|length }} {{ more|tojson }} {{ "年份2026"|replace("2026", "今年") }}
{% endblock %}
{% block ask %}
{%- set n = 2 * 3 %}{{ macros.shout(tone) }} {{ n }} {{ 7 % 3 }} {{ "a" ~ n }} {{ tone is defined }}
{% raw %}{{ this stays }}{% endraw %}
{% include "parts/end.j2" ignore missing %}{% include "parts/nowhere.j2" ignore missing %}
{% if mood is defined %}{{ mood }}{% endif %}
{{ missing }} {{ schema.properties.text.maxLength }} {{ schema }}
{% endblock %}
"""


def encoded(files: Mapping[str, str], *, bom: bool = False, crlf: bool = False) -> Files:
    """The files with a byte order mark, or with the line ends of another system."""
    return {
        name: (b"\xef\xbb\xbf" if bom else b"")
        + (text.replace("\n", "\r\n") if crlf else text).encode()
        for name, text in files.items()
    }


def scenario(text: str, **more: str) -> Files:
    """A scenario of the base project's class; `tables__x` are CSV files beside it."""
    tables = {f"scenarios/tables/{name}.csv": content for name, content in more.items()}
    return {"scenarios/letters.yaml": f"schema: Letter\n{text}", **tables}


_TEXT = {name: str(content) for name, content in BASE.items()}
TABLE: Mapping[str, Files] = {
    "the base project": {},
    "a byte order mark": encoded(_TEXT, bom=True),
    "the line ends of Windows": encoded(_TEXT, crlf=True),
    "both, and a table": {
        **encoded(_TEXT, bom=True, crlf=True),
        "scenarios/letters.yaml": b"\xef\xbb\xbfschema: Letter\r\ndraw:\r\n- bootstrap: {table: tables/o.csv}\r\n",
        "scenarios/tables/o.csv": b"\xef\xbb\xbfcity,amount\r\nRome,1\r\n",
    },
    "line ends of an old Macintosh": {"scenarios/letters.yaml": SCENARIO.replace("\n", "\r")},
    "comments and empty lines": scenario(
        "\n\n# a comment\nrows: 2  # two\n\n\nvary: # axes\n  # tones\n  tone: [glad, sad] # both\n\n   \n"
    ),
    "document marks": {"scenarios/letters.yaml": f"%YAML 1.2\n---\n{SCENARIO}...\n"},
    "an editor's line": {
        "scenarios/letters.yaml": f"# yaml-language-server: $schema=scenario.schema.json\n{SCENARIO}"
    },
    "no, on, off and a date as texts": scenario(
        "vary:\n  tone: [no, on, off, y, 2026-01-31, ~x]\n"
    ),
    "truth values": scenario("vary:\n  tone: [true, false]\n"),
    "numbers": scenario("vary:\n  tone: [-1, 0, 2.5, 1000000]\n"),
    "numbers as texts": scenario("vary:\n  tone: ['4.10', \"007\", '1e3', '0x1F']\n"),
    "tabs within texts": scenario(
        'given:\n  role: a\tb\n  rule: "c\\td"\n  more: |\n    e\tf\n  next:\tg\t# h\n\t\n  list: [a\tb,\tc]\n'
    ),
    "long texts in both styles": scenario(
        "given:\n  role: |\n    one，two：three\n\n    {{ not a template }}\n  rule: >-\n    folded\n    text\n"
    ),
    "Chinese punctuation where it belongs": scenario(
        'given:\n  role: 主管，语气克制：讲依据、不争辩\n  rule: "［重要］，｛务必｝"\nvary:\n  tone: ["生气，难过", "高兴、满意", 平静]\n  mood:\n    - 又惊、又喜；难言\n    - "“好”"\n    - 说“好”\nunused: [mood]\n'
    ),
    "Chinese names": {
        "scenarios/信件.yaml": "schema: 信件\nvary:\n  语气: [生气, 难过]\nkeep:\n  - 语气 != '生气'\n",
        "prompts/信件.j2": "写一封{{ 语气 }}的信。\n",
        "schemas/信件.py": SCHEMA.replace("Letter", "信件"),
    },
    "a name of 64 letters": {f"scenarios/{'x' * 64}.yaml": f"prompt: letters\n{SCENARIO}"},
    "aliases": scenario("given:\n  a: &a [x, y]\n  b: *a\n  c: &a {d: 1}\n  e: *a\n"),
    "deep given": scenario("given:\n  a: {b: {c: [{d: [1, [2, [3]]]}]}}\n  n: null\n"),
    "quoted keys": {
        "scenarios/letters.yaml": '"schema": "Letter"\n\'vary\':\n  "tone": ["glad"]\n'
    },
    "everything in one line": {
        "scenarios/letters.yaml": "{schema: Letter, rows: 2, vary: {tone: [glad, sad]}}\n"
    },
    "a module named": {"scenarios/letters.yaml": "schema: letters:Letter\n"},
    "weights and attributes": scenario(
        "rows: 9\nvary:\n  tone:\n    glad: {weight: 3, face: smile}\n    sad: {weight: 0.5, face: tears}\n"
    ),
    "a least of each": scenario("rows: {total: 9, least: 2}\nvary:\n  tone: {glad: 30, sad: 1}\n"),
    "dependent axes": {
        "scenarios/letters.yaml": "schema: Letter\nvary:\n  fault: {of: product.faults}\n"
        "  product: {phone: {faults: [screen, 电池]}, lamp: {faults: {bulb: 1}}}\n",
        "prompts/letters.j2": "{{ product }}: {{ fault }}\n",
    },
    "an axis of lines": {
        "scenarios/letters.yaml": "schema: Letter\nvary:\n  tone: {file: tones.txt}\n",
        "scenarios/tones.txt": "\ufeffglad\r\n\r\n  sad, but kind：so so  \r\n",
    },
    "an axis of a table": scenario(
        "rows: 4\nvary:\n  tone: {table: tables/t.csv, value: name, weight: n}\n",
        t="name,n,face\nglad,1,x\nsad,2.5,\n",
    ),
    "given files": {
        "scenarios/letters.yaml": "schema: Letter\ngiven:\n  a: {file: rules/a.json}\n  b: {file: rules/b.yaml}\n"
        "  c: {file: ../README.md}\n",
        "scenarios/rules/a.json": RULES,
        "scenarios/rules/b.yaml": "- x\n- {y: z}\n",
        "README.md": "# 说明\n{{ nothing }}\n",
    },
    "a table of odd cells": scenario(
        "draw:\n  - bootstrap: {table: tables/o.csv, columns: [city, amount, code, note]}\n",
        o=ORDERS,
    ),
    "text among numbers that is meant": scenario(
        "draw:\n  - bootstrap: {table: tables/o.csv}\nkeep:\n  - size != None and size is not None\n",
        o="size,zip,house,few\n"
        + "".join(f"{n},{n + 10000},{n},{n if n < 8 else 'many'}\n" for n in range(20))
        + 'XL,01234,"12A",\nM,,"12B",\nL,,,\n',
    ),
    "examples with the column they are drawn by": {
        **scenario(
            "vary:\n  tone: [glad, sad]\ndraw:\n  - examples: {table: tables/e.csv, by: tone, n: 1}\n",
            e="tone,text\nglad,hello\nsad,alas\n",
        ),
        "prompts/letters.j2": "{{ tone }}{% for shot in shots %}{{ shot.tone }}: {{ shot.text }}{% endfor %}\n",
    },
    "text among numbers in a column that nobody draws": scenario(
        "draw:\n  - bootstrap: {table: tables/o.csv, columns: [size]}\n",
        o="size,note\n" + "".join(f"{n},{n}\n" for n in range(20)) + "21,of Rome\n",
    ),
    "every declared draw": scenario(
        "draw:\n  - a: {uniform: [0, 1], round: 2}\n  - b: {normal: {mean: 5, sd: 2}, min: 0, max: 9}\n"
        "  - c: {lognormal: {median: 3, sigma: 1}}\n  - d: {poisson: 4}\n  - e: {integer: [1, 6]}\n"
        "  - f: {choice: [x, y]}\n  - g: {choice: {x: 3, y: 1}}\n  - h: {date: [2026-01-01, 2026-02-01]}\n"
        "  - i: {uniform: [0, 1], column: false}\nkeep:\n  - 0 <= a <= b\n  - not (e == 6 and f == 'x')\n"
    ),
    "examples by an axis": scenario(
        "vary:\n  tone: [glad, sad]\ndraw:\n  - examples: {table: tables/e.csv, columns: [text], by: {tone: mood}, n: 1}\n",
        e="mood,text\nglad,hello\nsad,alas\n",
    ),
    "plain text": {"scenarios/letters.yaml": f"answer: text\n{SCENARIO}"},
    "params and a model": scenario("model: fake:any:thing/with.signs\nparams: {temperature: 1}\n"),
    "models that share": scenario("rows: 6\nmodel: [fake:a, fake:b]\n"),
    "an ending of yml": {
        "scenarios/more.yml": SCENARIO.replace("schema", "prompt: letters\nschema")
    },
    "files that are no scenarios": {
        "scenarios/README.md": "# x",
        "scenarios/.hidden.yaml": ":::",
        "scenarios/._letters.yaml": b"\x00\x05\x16\x07",
        "scenarios/scenario.schema.json": "{}",
        "scenarios/old/broken.yaml": "[",
        "scenarios/letters.yaml~": "[",
    },
    "prompts that nobody names": {"prompts/broken.j2": "{% if", "prompts/notes.txt": "{{ x }}"},
    "schema files that nobody names": {
        "schemas/broken.py": "class Other(BaseModel)\n    x: int\n",
        "schemas/raises.py": "raise SystemExit(3)\n",
        "schemas/bytes.py": b"\xff\xfe\x00\x01",
        "schemas/twice.py": "class A: pass\nclass A: pass\n",
        "schemas/empty.py": "",
        "schemas/__init__.py": "import nothing_of_this_name\n",
        "schemas/data.json": "{",
    },
    "a schema that prints": {"schemas/letters.py": f"print('loading')\n{SCHEMA}"},
    "a schema that uses its neighbour": {
        "schemas/parts.py": "from pydantic import BaseModel\n\n\nclass Part(BaseModel):\n    n: int\n",
        "schemas/letters.py": f"from .parts import Part\n{SCHEMA}    part: Part\n",
    },
    "a rich schema": {"schemas/letters.py": NESTED},
    "a rich template": {
        "scenarios/letters.yaml": "schema: Letter\ngiven:\n  rules: [be kind, 讲依据]\n"
        "  more: {keys: yes, items_: x, 名: 值}\n  missing: null\nvary:\n  tone: [glad, sad]\n",
        "prompts/letters.j2": TEMPLATE,
        "prompts/parts/base.j2": "{% system %}\n{% block rules %}Rules:{% endblock %}\n{% endsystem %}\n"
        "{% user %}Hi{% enduser %}\n{% assistant %}Yes?{% endassistant %}\n\n"
        "{%- user -%}{% block ask %}{% endblock %}{%- enduser -%}\n",
        "prompts/parts/macros.j2": "{% macro shout(x) %}{{ x|upper }}!{% endmacro %}",
        "prompts/parts/end.j2": "The end{# of all #}.",
    },
    "a template that leaves the axes to the schema": {
        "prompts/letters.j2": "Write.\n",
        "schemas/letters.py": f"{SCHEMA}\n    def tones(self, info):\n        return info.context['tone']\n",
    },
    "an axis that is said to be unused": scenario(
        "vary:\n  tone: [glad]\n  mood: [a, b]\nunused: [mood]\n"
    ),
    "templates that begin and end with blanks": {"prompts/letters.j2": f"\n\n  {PROMPT}\n\n"},
    "more in pyproject.toml": {
        "pyproject.toml": f"# 设置\n[project]\nname = 'x'\n[tool.other]\nx = 1\n{SETTINGS}"
        'budget = "5 usd"\nconfirm_above = "200000tok"\n[tool.builder.params]\nmax_tokens = 99\n'
        "[tool.builder.providers.fake]\nlatency = 0\n[tool.builder.providers.mine]\n"
        'base_url = "http://localhost:1/v1"\ntimeout = 5\n[tool.builder.datasets.letter]\ntext = ["text"]\n'
        'languages = ["zh"]\nlicense = "cc-by-4.0"\nsplits = {train = 0.9, "test.small" = 0.1}\n'
    },
    "expectations of every kind": {
        "scenarios/letters.yaml": SCENARIO + "expect:\n  coverage: {combinations: 1}\n"
        "  drift: {ks: 0.2, table: tables/tones.csv}\n  privacy: {}\n  diversity:\n    vendi: 1.5\n",
        "scenarios/tables/tones.csv": "tone,n\nglad,1\nsad,2\n",
        "pyproject.toml": SETTINGS + "[tool.builder.datasets.letter.expect.drift]\n"
        'table = "scenarios/tables/tones.csv"\n',
    },
    "an .env": {".env": "# keys\nexport OPENAI_API_KEY='sk-x'\nbroken line\n=x\n\xff"},
}
