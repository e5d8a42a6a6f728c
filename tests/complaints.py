"""A reference of two topics, a scenario that covers one, and a model that follows the focus."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from builder import store
from builder.plan import requests
from builder.project.settings import Project
from builder.quality import topups
from builder.table import frame
from builder.verbs import check
from tests import projects
from tests.provider import Provider, completion, prompts

TOPICS = {
    "late": "parcel courier delayed warehouse tracking doorstep shipment address delivery window",
    "money": "invoice charged twice refund bank statement currency receipt cashback balance",
}
COMMON = "i have been waiting since and nobody tells me what will happen with my order please"
ROWS = 120
SETTINGS = """\
[tool.builder]
model = "mine:follows"
params = {{max_tokens = 20}}
[tool.builder.providers.mine]
base_url = "{url}/v1"
"""
SCHEMA = """\
from pydantic import BaseModel, Field


class Complaint(BaseModel):
    text: str = Field(min_length=5, max_length=400)
"""
SCENARIO = f"""\
schema: Complaint
rows: {ROWS}
given: {{shop: an online shop}}
vary:
  tone: [angry, calm]
draw:
  - days: {{integer: [1, 100000]}}
"""
PROMPT = "A {{ tone }} complaint to {{ shop }} after {{ days }} days.\n"


def text(topic: str, rng: np.random.Generator) -> str:
    words = [*rng.choice(TOPICS[topic].split(), 5), *rng.choice(COMMON.split(), 7)]
    return " ".join(rng.permutation(words).tolist())


class Follows(Provider):
    """Writes about late parcels, or about the topic whose words the prompt holds most of."""

    def _reply(
        self, request: web.Request, body: Mapping[str, Any], mark: bytes, fault: str | None
    ) -> bytes:
        asked = set(re.findall(r"\w+", " ".join(prompts(body))))
        topic = max(TOPICS, key=lambda name: len(asked & set(TOPICS[name].split())))
        made = text(topic, np.random.default_rng(list(mark)))
        return completion(body, json.dumps({"text": made}), fault, self.usage, 9, 9)


def site(folder: Path, url: str) -> Path:
    """A project whose scenario covers one of the two topics of its reference."""
    rng = np.random.default_rng(1)
    reference = [text(topic, rng) for topic in TOPICS for _ in range(ROWS)]
    projects.write(
        folder,
        {
            "pyproject.toml": SETTINGS.format(url=url),
            "prompts/letters.j2": PROMPT,
            "schemas/letters.py": SCHEMA,
            "scenarios/letters.yaml": SCENARIO,
            "real.jsonl": "".join(json.dumps({"text": line}) + "\n" for line in reference),
        },
    )
    assert projects.run(folder, "run", "--quiet").code == 0
    return folder


def standing(site: Path) -> topups.Proposal:
    """Where its dataset stands beside its reference."""
    made = requests.plan(Project.find(site), ["letters"])
    with store.reading(made.project.store) as held:
        found = check.gather(made.datasets[0], held, frame.read(site / "real.jsonl"))
    rng = np.random.default_rng(9)
    return topups.propose(found.texts, found.reference_texts, rng)


def share_of_ceiling(site: Path) -> float:
    """Its coverage over what a perfect dataset reaches."""
    found = standing(site)
    return found.coverage / found.ceiling


def quoted(site: Path) -> list[str]:
    """The lines of the top-up's scenario that hold a run of words of the reference."""
    written = (site / "scenarios" / "letters_topup.yaml").read_text("utf-8")
    reference = frame.read(site / "real.jsonl").texts()
    return [line for line in written.splitlines() if topups.quotes(line, reference)]
