"""Broken scenarios whose rows are made from rows: sources, what they name, what is filled, splits."""

from __future__ import annotations

from tests.broken import Broken, chain

OVER_NOTES = "from: {a: notes}\n"
OVER_TABLE = "from:\n  a: {table: tables/real.csv, id: id}\n"
AND_NOTES = OVER_TABLE + "  b: {scenario: notes, on: {label: kind}}\n"

# fmt: off
SOURCES = [
    chain("rows that are made from themselves", "▸from: {a: letters}\n", "letters.yaml ← letters.yaml"),
    chain("a cycle of two", "from: {a: notes}\n", "rows that are made from themselves", at="scenarios/letters.yaml:2:1", scenario_notes="schema: Note\nfrom: {a: letters}\n"),
    chain("a cycle of three", "from: {a: notes}\n", "are made from themselves", at="scenarios/letters.yaml:2:1", scenario_notes="schema: Note\nfrom: {a: others}\n", scenario_others="schema: Note\nfrom: {a: letters}\n"),
    chain("a cycle through a dataset", "dataset: mine\n▸from: {a: {dataset: mine}}\n", "are made from themselves"),
    chain("an unknown scenario", "from: {a: ▸nots}\n", "no scenario 'nots'. Did you mean 'notes'?"),
    chain("an unknown scenario, at length", "from:\n  a: {scenario: ▸nots}\n", "no scenario 'nots'. Did you mean 'notes'?"),
    chain("a scenario by its file", "from: {a: ▸notes.yaml}\n", "no scenario 'notes.yaml'. Did you mean 'notes'?"),
    chain("an unknown dataset", "from:\n  a: {dataset: ▸nots}\n", "no dataset 'nots'. Did you mean 'note'?"),
    chain("an unknown table", "from:\n  a: {table: ▸tables/rael.csv}\n", "file 'tables/rael.csv' not found"),
    chain("a glob over nothing", "from:\n  a: {table: ▸tables/*.jsonl}\n", "file 'tables/*.jsonl' not found"),
    chain("a table outside of the project", "from:\n  a: {table: ▸../../real.csv}\n", "lies outside the project"),
    chain("an unknown word of a source", "from:\n  a: {▸scenari: notes}\n", "unknown word 'scenari'. Did you mean 'scenario'?"),
    chain("two sources in one", "from:\n  a: ▸{scenario: notes, table: tables/real.csv}\n", "names 2 sources"),
    chain("no source in one", "from:\n  a: ▸{take: [text]}\n", "names no source"),
    chain("a number for a source", "from:\n  a: ▸3\n", "expected a source"),
    chain("nothing for a source", "from:\n  ▸a:\n", "expected a source"),
    chain("a list for the sources", "from: ▸[notes]\n", "from: expected a mapping"),
    chain("a name for the sources", "from: ▸notes\n", "from: expected a mapping"),
    chain("a target that is a list", "from:\n  a: {scenario: ▸[notes]}\n", "scenario: expected a name"),
    chain("a source that bears no name", "from:\n  ▸my notes: notes\n", "no name for a variable"),
    chain("a source and a value of one name", "given:\n  a: x\nfrom: {▸a: notes}\n", "'a' is named twice"),
    chain("a source named as a field", "from: {▸text: notes}\n", "'text' is a column of this scenario and a field of Letter"),
]

NAMES = [
    chain("a field that the rows lack, in the template", OVER_NOTES, "have no 'txt'. Did you mean 'text'?", prompt_letters="Write {{ a.▸txt }}.\n"),
    chain("a field that the rows lack, in brackets", OVER_NOTES, "have no 'txt'. Did you mean 'text'?", prompt_letters="Write {{ a['▸txt'] }}.\n"),
    chain("a field that the rows lack, in an include", OVER_NOTES, "have no 'txt'. Did you mean 'text'?", prompt_letters="{% include 'part.j2' %}\n", prompt_part="On\n{{ a.▸txt }}\n"),
    chain("a field that the rows lack, in keep", OVER_NOTES + "keep:\n  - ▸a.scroe > 3\n", "have no 'scroe'. Did you mean 'score'?"),
    chain("a field that the rows lack, in take", "from:\n  a: {scenario: notes, take: [score, ▸txt]}\n", "have no 'txt'. Did you mean 'text'?"),
    chain("a field that the rows lack, in take by name", "from:\n  a: {scenario: notes, take: {txt: ▸b}}\n", "have no 'txt'. Did you mean 'text'?"),
    chain("a field that the rows lack, in a list", OVER_NOTES + "vary:\n  tag: {of: ▸a.tgas}\nunused: [tag]\n", "have no 'tgas'. Did you mean 'tags'?"),
    chain("a field that the rows lack, looked up", OVER_TABLE + "  b: {scenario: notes, on: ▸{label: knid}}\n", "have no 'knid'. Did you mean 'kind'?"),
    chain("a field that looked-up rows lack, in the template", AND_NOTES, "have no 'txt'. Did you mean 'text'?", prompt_letters="{{ b.▸txt }}\n"),
    chain("a column that a table lacks, in the template", OVER_TABLE, "have no 'txet'. Did you mean 'text'?", prompt_letters="{{ a.▸txet }}\n"),
    chain("a column that a table lacks, as its id", "from:\n  a: {table: tables/real.csv, id: ▸idd}\n", "have no 'idd'. Did you mean 'id'?"),
    chain("a name that no field and no name bears, looked up", OVER_TABLE + "  b: {scenario: notes, on: ▸{lable: kind}}\n", "'lable'"),
    chain("a field that listed rows lack, in a loop", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: 2}\n", "have no 'txt'. Did you mean 'text'?", prompt_letters="{% for row in b %}{{ row.▸txt }}{% endfor %}\n"),
    chain("a list of rows for a row, in the template", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: 2}\n", "'b' is a list of rows", prompt_letters="{{ b.▸text }}\n"),
    chain("a list of rows for a row, in keep", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: 2}\nkeep:\n  - ▸b.score > 3\n", "'b' is a list of rows"),
    chain("a source that the template does not know", OVER_NOTES, "'b'", prompt_letters="Write {{ ▸b.text }}.\n"),
    chain("a taken name of two things", "from:\n  a: {scenario: notes, take: {score: ▸x}}\ngiven:\n  x: 1\n", "'x' is named twice"),
    chain("a taken name that is a field", "from:\n  a: {scenario: notes, take: [▸text]}\n", "`fill: [text]`"),
    chain("what is taken, as a number", "from:\n  a: {scenario: notes, take: ▸3}\n", "take: expected names"),
    chain("what is taken, as a list of lists", "from:\n  a: {scenario: notes, take: ▸[[text]]}\n", "take: expected names"),
]

LOOK_UPS = [
    chain("`on` of the first source", "from:\n  a: {scenario: notes, ▸on: text}\n", "'on' is for further sources"),
    chain("`n` of the first source", "from:\n  a: {scenario: notes, ▸n: 3}\n", "'n' is for further sources"),
    chain("a further source without `on`", OVER_TABLE + "  b: ▸notes\n", "so it needs `on`"),
    chain("a further source without `on`, at length", OVER_TABLE + "  b: ▸{scenario: notes}\n", "so it needs `on`"),
    chain("`on` without a match anywhere", OVER_TABLE + "  b: {table: tables/other.csv, id: id, on: ▸label}\n", "no row of 'tables/other.csv' agrees", table_other="id,label\n1,x\n2,y\n"),
    chain("`on` a number", OVER_TABLE + "  b: {scenario: notes, on: ▸3}\n", "on: expected names"),
    chain("`on` nothing", OVER_TABLE + "  b: ▸{scenario: notes, on: []}\n", "so it needs `on`"),
    chain("no row looked up", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: ▸0}\n", "n is 0"),
    chain("a text for the rows looked up", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: ▸all}\n", "n is 'all'"),
    chain("least without n", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, ▸least: 1}\n", "'least' stands beside n"),
    chain("least above n", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}, n: 2, least: ▸3}\n", "least is 3"),
]

IDS = [
    chain("an id that stands twice", OVER_TABLE, "the id '1' stands here again; first at scenarios/tables/real.csv:2", table_real="id,text,label\n1,one,a\n2,two,b\n▸1,three,a\n"),
    chain("an id that stands twice, in lines", "from:\n  a: {table: tables/real.jsonl, id: id}\n", "first at scenarios/tables/real.jsonl:1", lines_real='{"id": 1}\n{"id": 2}\n▸{"id": 1}\n'),
    chain("an id of two columns that stands twice", "from:\n  a: {table: tables/real.csv, id: [text, label]}\n", "stands here again; first at scenarios/tables/real.csv:2", table_real="id,text,label\n1,one,a\n2,one,b\n▸3,one,a\n"),
    chain("an id that stands in two files", "from:\n  a: {table: tables/r*.csv, id: id}\n", "first at scenarios/tables/real.csv:3", table_reals="id,text,label\n▸2,two,b\n"),
    chain("an empty id", OVER_TABLE, "the id is empty", table_real="id,text,label\n1,one,a\n▸,two,b\n"),
    chain("an id that is nothing, in lines", "from:\n  a: {table: tables/real.jsonl, id: id}\n", "the id is empty", lines_real='{"id": 1}\n▸{"id": null}\n'),
    chain("an id that a line lacks", "from:\n  a: {table: tables/real.jsonl, id: id}\n", "the id is empty", lines_real='{"id": 1}\n▸{"text": "x"}\n'),
    chain("an id of rows made here", "from:\n  a: {scenario: notes, ▸id: text}\n", "'id' is for tables"),
    chain("an id that is a number", "from:\n  a: {table: tables/real.csv, id: ▸3}\n", "id: expected columns"),
    chain("no id beside draws", "from:\n  ▸a: {table: tables/real.csv}\ndraw:\n  - days: {integer: [1, 9]}\n", "with draws the rows of a table are known by `id`"),
    chain("no id beside a total", "rows: 5\nfrom:\n  ▸a: {table: tables/real.csv}\n", "with a total the rows of a table are known by `id`"),
    chain("no id beside several models", "model: [fake:any, fake:other]\nfrom:\n  ▸a: {table: tables/real.csv}\n", "with several models the rows of a table are known by `id`", model=False),
    chain("no id beside splits", "from:\n  ▸a: {table: tables/real.csv}\n", "with splits the rows of a table are known by `id`", settings="[tool.builder.datasets.letters]\nsplits = {train = 0.5, test = 0.5}\n"),
    chain("a source without rows", OVER_TABLE, "the table has no rows", table_real="▸id,text,label\n"),
    chain("a source with a broken line", OVER_TABLE, "this row has 2 cells", table_real="id,text,label\n▸1,one\n"),
    chain("lines that are no JSON", "from:\n  a: {table: tables/real.jsonl}\n", "JSON", lines_real='{"id": 1}\n{"id": ▸}\n'),
]

LISTS = [
    chain("a text opened as a list", OVER_NOTES + "vary:\n  tag: {of: ▸a.text}\nunused: [tag]\n", "'text' is no list"),
    chain("a column of text opened as a list", OVER_TABLE + "vary:\n  tag: {of: ▸a.label}\nunused: [tag]\n", "'label' is no list"),
    chain("a row opened as a list", OVER_NOTES + "vary:\n  tag: {of: ▸a}\nunused: [tag]\n", "names a list of the first source"),
    chain("a list of a further source", OVER_TABLE + "  b: {scenario: notes, on: {label: kind}}\nvary:\n  tag: {of: ▸b.tags}\nunused: [tag]\n", "first source"),
    chain("a list of no source", OVER_NOTES + "vary:\n  tag: {of: ▸c.tags}\nunused: [tag]\n", "'of' names 'c'"),
]

FILLED = [
    chain("a filled field that no name has", OVER_NOTES + "fill: [▸text]\n", "`fill` names 'text', which is no name of this file"),
    chain("a filled name that no field has", OVER_NOTES + "fill: [▸a]\n", "`fill` names 'a', which is no field of Letter"),
    chain("a filled field, misspelt", OVER_NOTES + "fill: [▸txet]\n", "Did you mean 'text'?"),
    chain("a text for what is filled", OVER_NOTES + "fill: ▸text\n", "fill: expected a list"),
    chain("nobody is asked for a field", "model: ▸none\nfrom: {a: notes}\n", "nothing fills text", model=False),
    *(
        chain(f"{word} where nobody is asked", f"model: none\nfrom:\n  a: {{scenario: notes, take: [text]}}\nfill: [text]\n▸{word}: {value}\n", f"{word!r} stands beside `model: none`", model=False)
        for word, value in (("prompt", "letters"), ("params", "{temperature: 1}"), ("tries", 2), ("answer", "json"))
    ),
]

SPLITS = [
    chain("splits of what is made from a dataset", OVER_NOTES, "whose splits it has", settings="[tool.builder.datasets.letters]\n▸splits = {train = 0.5, test = 0.5}\n"),
    chain("together in what is made from a dataset", OVER_NOTES, "whose splits it has", settings="[tool.builder.datasets.letters]\n▸together = [\"text\"]\n"),
]

# fmt: on
TABLE: list[Broken] = [*SOURCES, *NAMES, *LOOK_UPS, *IDS, *LISTS, *FILLED, *SPLITS]
