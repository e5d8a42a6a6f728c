"""Which params each wire format takes, and what a value of one must look like.

A param that a provider lacks is found here, before a call is paid for. The tables hold the
settings of the answer; what shapes the exchange itself (messages, streaming, tools) is the
engine's business and refused by name.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

from builder.errors import nearest

# The empty string for a good value, else what was expected.
Check = Callable[[Any], str]


def number(low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> Check:
    """A check for a finite number within the bounds."""
    least = f" of at least {low}" if math.isfinite(low) else ""
    expected = f"a{' whole' if whole else ''} number"
    expected += f" from {low} to {high}" if math.isfinite(high) else least
    others = (bool, float) if whole else (bool,)

    def check(value: object) -> str:
        if not isinstance(value, int | float) or isinstance(value, others):
            return expected
        return "" if low <= value <= high and abs(value) < math.inf else expected

    return check


def integer(low: int, high: float = math.inf) -> Check:
    """A check for a whole number within the bounds."""
    return number(low, high, whole=True)


def word(*known: str) -> Check:
    """A check for a text, one of `known` if any are given."""
    expected = "one of " + ", ".join(known) if known else "a text"

    def check(value: object) -> str:
        return "" if isinstance(value, str) and (not known or value in known) else expected

    return check


def flag(value: object) -> str:
    """A check for true or false."""
    return "" if isinstance(value, bool) else "true or false"


def table(value: object) -> str:
    """A check for a table of names and values."""
    return "" if isinstance(value, Mapping) else "a table"


def words(value: object) -> str:
    """A check for a text or a list of texts."""
    items = [value] if isinstance(value, str) else value
    good = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
    return "" if good else "a text or a list of texts"


def output_config(value: object) -> str:
    """A check for Anthropic's output_config without the format, which the engine sets."""
    good = isinstance(value, Mapping) and "format" not in value
    return "" if good else 'a table such as {effort = "low"}, without format'


OPENAI: Mapping[str, Check] = {
    "frequency_penalty": number(-2, 2),
    "logit_bias": table,
    "logprobs": flag,
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "metadata": table,
    "moderation": table,
    "prediction": table,
    "presence_penalty": number(-2, 2),
    "prompt_cache_key": word(),
    "prompt_cache_options": table,
    "prompt_cache_retention": word(),
    "reasoning_effort": word(),
    "safety_identifier": word(),
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": word(),
    "stop": words,
    "store": flag,
    "temperature": number(0, 2),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": word(),
    "verbosity": word("low", "medium", "high"),
    "web_search_options": table,
}
ANTHROPIC: Mapping[str, Check] = {
    "cache_control": table,
    "inference_geo": word(),
    "max_tokens": integer(1),
    "metadata": table,
    "output_config": output_config,
    "service_tier": word("auto", "standard_only"),
    "speed": word("standard", "fast"),
    "stop_sequences": words,
    "thinking": table,
    "user_profile_id": word(),
}
# What servers that are compatible with Anthropic's format may take beyond its own params.
SAMPLING: Mapping[str, Check] = {
    "temperature": number(),
    "top_k": integer(0),
    "top_p": number(),
}

LOCAL: Mapping[str, Check] = {
    "dry_multiplier": number(0),
    "frequency_penalty": number(-2, 2),
    "logit_bias": table,
    "max_tokens": integer(1),
    "min_p": number(0, 1),
    "presence_penalty": number(-2, 2),
    "repeat_penalty": number(0),
    "seed": integer(0, 2**32 - 1),
    "stop": words,
    "temperature": number(0),
    "top_k": integer(0),
    "top_p": number(0, 1),
}
# Names that people know from elsewhere, and what to write here.
_GUIDED = "vLLM no longer reads it; the schema is sent as response_format by itself"
ELSEWHERE: Mapping[str, str] = {
    "extra_body": "write its contents straight into params",
    "guided_json": _GUIDED,
    **{
        f"guided_{what}": f"vLLM no longer reads it; write structured_outputs: {{{what}: …}}"
        for what in ("choice", "grammar", "regex")
    },
}
# Names that the engine fills in itself or that would change the shape of a reply.
ENGINES_OWN = frozenset(
    [
        "audio",
        "container",
        "function_call",
        "functions",
        "messages",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "response_format",
        "stream",
        "stream_options",
        "system",
        "tool_choice",
        "tools",
    ]
)

TYPO = 0.92  # How alike two names must be for an unknown one to count as a typo.


def problems(
    provider: str, params: Mapping[str, Any], known: Mapping[str, Check], *, extras: bool
) -> list[str]:
    """A line for each param that `provider` lacks or whose value cannot be right.

    `extras` lets unknown names through as they are, as servers of one's own may take more.
    """
    lines = []
    for name, value in params.items():
        if name in ELSEWHERE:
            lines.append(f"params.{name}: {ELSEWHERE[name]}")
        elif name in ENGINES_OWN:
            lines.append(f"params.{name}: set by the engine itself; leave it out")
        elif name in known:
            expected = known[name](value)
            if expected:
                lines.append(f"params.{name}: {value!r} is not {expected}")
        elif not extras:
            lines.append(f"params.{name}: {provider} has no such param.{nearest(name, known)}")
        elif difflib.get_close_matches(name, list(known), n=1, cutoff=TYPO):
            lines.append(f"params.{name}: unknown.{nearest(name, known)}")
    return lines
