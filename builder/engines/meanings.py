"""What a provider's failure means, decided in one place: codes, named fields and waits first, words last.

The table of bodies in docs/failures.md shows each meaning by what real servers say.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from builder.engines.failures import Fault, Redact, Reply, excerpt
from builder.engines.protocol import Endpoint, Mode
from builder.errors import EngineError, ProviderError, RequestError, TransportError

Meaning = Literal[
    "wait",  # too many calls or tokens: again, and slower
    "trouble",  # the server or what is behind it: again
    "money",  # quota, balance or budget used up
    "key",
    "forbidden",
    "address",
    "redirect",
    "model",  # nobody serves this model there
    "param",  # a param of the user's is not taken
    "schema",  # the way structure was asked for is not taken: the next way may be
    "long",  # this prompt has more tokens than the model takes
    "filter",  # the provider's filter stopped this prompt
    "generation",  # this one answer went wrong: it counts as a refused answer
    "request",  # refused for what is in this request, and nothing tells what
]

CODES: Mapping[Meaning, frozenset[str]] = {
    "long": frozenset(
        [
            "context_length_exceeded",
            "exceed_context_size_error",
            "contextwindowexceedederror",
            "tokens_limit_reached",
            "request_too_large",
            "string_above_max_length",
            "context_window_exceeded",
            "1261",
        ]
    ),
    "money": frozenset(
        [
            "insufficient_quota",
            "insufficient_balance",
            "insufficient_user_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "budget_exceeded",
            "exceeded_current_quota_error",
            "arrearage",
            "accountoverdueerror",
            "payment_required",
            "insufficient_credits",
            "credit_balance_too_low",
            "1113",
            "1008",
        ]
    ),
    "generation": frozenset(["json_validate_failed", "output_parse_failed", "tool_use_failed"]),
    "filter": frozenset(
        [
            "content_filter",
            "responsibleaipolicyviolation",
            "content_policy_violation",
            "data_inspection_failed",
            "datainspectionfailed",
            "sensitivecontentdetected",
            "prohibited_content",
            "content_moderation",
            "1301",
        ]
    ),
    "key": frozenset(
        [
            "invalid_api_key",
            "incorrect_api_key",
            "api_key_invalid",
            "authentication_error",
            "unauthenticated",
            "invalid_authentication_error",
            "invalidapikey",
        ]
    ),
    "model": frozenset(
        [
            "model_not_found",
            "deploymentnotfound",
            "invalid_model",
            "model_not_supported",
            "model_not_exist",
            "invalidendpointormodel.notfound",
        ]
    ),
    "wait": frozenset(
        [
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit_reached_error",
            "resource_exhausted",
            "throttling",
            "too_many_requests",
            "throttlingexception",
            "throttling.ratequota",
            "throttling.allocationquota",
            "ratelimitexceeded",
            "engine_overloaded_error",
            "1302",
        ]
    ),
    "trouble": frozenset(["overloaded_error", "overloaded", "unavailable", "serveroverloaded"]),
}
# Patterns are compiled when a failure is first looked at: a plan reads this module too.
WORDS: Mapping[Meaning, str] = {
    "money": (
        r"insufficient[ _](?:account |user )?(?:balance|funds|credits?|quota)"
        r"|balance (?:is )?(?:too low|insufficient|not enough)|not enough (?:credits?|balance)"
        r"|credit balance|out of credits?|budget has been exceeded|exceeded_quota"
        r"|exceeded your current quota|balance.{0,30}insufficient|余额不足|余额已用|欠费|额度不足|额度已用"
        r"|spending limit|past invoices|any credits|specified api usage limits"
    ),
    "filter": (
        r"content[ _]?filter|responsibleaipolicy|content[ _]policy|data_inspection|flagged|moderation"
        r"|sensitive content|敏感|违规|不合规|content management policy|safety (?:system|filter)"
    ),
    "generation": (r"failed to (?:generate|validate) json|failed_generation"),
    "model": (
        r"invalid model name|invalid model:|unknown model|model not found|no such model|模型不存在"
        r"|model\b.{0,80}(?:does not exist|not exist|not found|is not available|was not found)"
        r"|is not a valid model|model identifier is invalid|pinned to|try pulling it|no available channel for model"
    ),
    "long": (
        r"context[ _]?(?:length|window|size)|max_model_len|maximum context|too many tokens"
        r"|(?:prompt|input|request|messages?)\b[^.]{0,60}\b(?:too (?:long|large)|exceeds?|longer than)"
        r"|must have less than \d+ tokens|input length should be|tokens? \+ `?max_new_tokens"
        r"|上下文长度|(?:输入|请求|内容|prompt).{0,6}(?:过长|超长)"
        r"|exceeds? the (?:model'?s? )?(?:maximum|max)[^.]{0,40}(?:tokens?|length)"
    ),
    "schema": (
        r"response[ _]?(?:format|schema)|json[ _]?(?:schema|object|mode)|structured[ _]?outputs?"
        r"|output_?(?:config|format)|guided|grammar|schema|additionalproperties|parser for this template"
        r"|extra inputs are not permitted"
    ),
    "wait": (r"rate[ _-]?limit|too many requests|请求过于频繁|速率限制|\b[rt]p[md] limit"),
}
SCHEMA_FIELDS = (
    r"response_(?:format|schema)|output_(?:config|format)|json_schema|guided\w*|structured_outputs?"
)
REFUSING = (
    r"unsupported|unexpected|unknown|unrecognized|not support|not permitted|not allowed|invalid|must be"
    r"|should be|deprecated|no longer|less than|greater than|incompatible|does not take|out of range"
)
_QUOTED = r"'(\w+)'"
_COUNT = r"(?<![\w-])\d[\d,]*"
_LIMIT = r"(?:max\w*|available|context|limit|less than|at most|<=?|>)\D{0,40}?(\d[\d,]*)"


class Asked(NamedTuple):
    """What a failed call had asked, as far as a meaning hangs on it."""

    model: str
    mode: Mode = "text"
    params: Collection[str] = ()


def meaning_of(status: int, fault: Fault, asked: Asked) -> Meaning:
    """What a failing status with this body means; 200 for an error inside a reply."""
    status = inner_status(status, fault)
    if 300 <= status < 400:
        return "redirect"
    by_code = next((m for m, codes in CODES.items() if codes.intersection(fault.codes)), None)
    if by_code == "wait" and status == 413:
        return "long"
    if by_code == "trouble" and status in (200, 429, 529):
        return "wait"
    if by_code is not None and not (by_code == "key" and status >= 500):
        return by_code
    if status == 402:
        return "money"
    if status in (429, 529):
        return "money" if fault.after is None and _says("money", fault) else "wait"
    if status in (408, 409, 424, 425, 499):
        return "trouble"
    if status == 413:
        return "long"
    return _by_words(status, fault, asked)


def inner_status(status: int, fault: Fault) -> int:
    """The status that an error inside a good reply names, else the reply's own."""
    inner = (int(code) for code in fault.codes if re.fullmatch(r"[45]\d\d", code))
    return next(inner, status) if 200 <= status < 300 else status


def _by_words(status: int, fault: Fault, asked: Asked) -> Meaning:
    for meaning in ("money", "filter", "generation"):
        if _says(meaning, fault) or (
            meaning == "money" and status == 403 and "billing" in fault.words
        ):
            return meaning
    if status == 401:
        return "key"
    if _says("model", fault):
        return "model"
    if 200 <= status < 300 or status >= 500:
        return _of_server(fault, asked)
    if status == 403:
        return "forbidden"
    return _refused(status, fault, asked)


def _of_server(fault: Fault, asked: Asked) -> Meaning:
    """What trouble of the server is about, where its words say so."""
    if _says("wait", fault):
        return "wait"
    if _says("long", fault):
        return "long"
    return "schema" if _shaped(asked) and _says("schema", fault) else "trouble"


def _refused(status: int, fault: Fault, asked: Asked) -> Meaning:
    """What a request was refused for, with 400, 404, 422 and their like."""
    if any(re.fullmatch(SCHEMA_FIELDS, name) for name in fault.names):
        return "schema"
    if _says("long", fault) and not param_of(fault, asked, by_words=False):
        return "long"
    if param_of(fault, asked, by_words=False):
        return "param"
    if _shaped(asked) and _says("schema", fault):
        return "schema"
    if status in (404, 405):
        return "address"
    if param_of(fault, asked):
        return "param"
    return "schema" if _says("schema", fault) else "request"


def param_of(fault: Fault, asked: Asked, *, by_words: bool = True) -> str:
    """The param that the server refuses, one of the user's where it can be, or the empty string."""
    by_name = next((name for name in asked.params if name.lower() in fault.names), "")
    if not by_name and "unsupported_parameter" in fault.codes:
        by_name = next(iter((*fault.names, *re.findall(_QUOTED, fault.words))), "")
    if by_name or not by_words or not re.search(REFUSING, fault.words):
        return by_name
    pattern = r"(?<![\w.])%s(?!\w)"
    return next(
        (n for n in asked.params if re.search(pattern % re.escape(n.lower()), fault.words)), ""
    )


def _says(meaning: Meaning, fault: Fault) -> bool:
    return re.search(WORDS[meaning], fault.words) is not None


def _shaped(asked: Asked) -> bool:
    return asked.mode not in ("prompt", "text")


def error_of(
    endpoint: Endpoint, asked: Asked, reply: Reply, fault: Fault, redact: Redact
) -> EngineError:
    """The error that a reply means which is neither filtered nor a refused answer."""
    status, who = reply.status, endpoint.provider
    meaning = meaning_of(status, fault, asked)
    reason = f": {fault.message}" if fault.message else ""
    if meaning in ("wait", "trouble"):
        inside = " with an error inside" if 200 <= status < 300 else ""
        return TransportError(
            f"{who} answered {status}{inside}{reason}",
            after=fault.after,
            limited=meaning == "wait",
            free=not 200 <= status < 300,
        )
    if meaning in ("long", "request"):
        texts = {
            "long": (
                f"The prompt is too long for model {asked.model!r} ({status})",
                "Shorten the prompt or params.max_tokens, or set a model with a longer context.",
            ),
            "request": (
                f"{who} refused the request for model {asked.model!r} ({status})",
                "Check the model, params and schema of the scenario.",
            ),
        }
        message, hint = texts[meaning]
        return RequestError(f"{message}{reason}", tokens=_tokens(fault), hint=hint)
    if meaning == "redirect":
        target = excerpt(reply.headers.get("location", ""), redact)
        reason = f" to {target or 'nowhere'}"
    message, hint = _final(endpoint, meaning, inner_status(status, fault), fault, asked)
    return ProviderError(f"{message}{reason}", hint=hint)


def _final(
    endpoint: Endpoint, meaning: Meaning, status: int, fault: Fault, asked: Asked
) -> tuple[str, str]:
    """Message and hint of what ends a run."""
    who, model = endpoint.provider, asked.model
    table = f"[tool.builder.providers.{who}]"
    key = endpoint.api_key_env or f"api_key_env of {table}"
    param = param_of(fault, asked)
    swap = {"max_completion_tokens", "max_tokens"} - {param}
    other = next((name for name in swap if len(swap) == 1 and name in fault.words), "")
    texts: Mapping[Meaning, tuple[str, str]] = {
        "money": (
            f"{who} says that the account behind {key} is out of quota or balance",
            "Top it up or raise its limit, then run again.",
        ),
        "redirect": (
            f"base_url {endpoint.base_url} answers with a redirect",
            f"Redirects are not followed. Set base_url in {table} to the final address.",
        ),
        "key": (
            f"{who} refused the API key in {key} ({status})",
            f"Set {key} to a valid key for {endpoint.base_url}.",
        ),
        "forbidden": (
            f"{who} forbids model {model!r} to the key in {key} ({status})",
            "Give the key access to the model, or set another model or key.",
        ),
        "param": (
            f"params.{param} is not taken by model {model!r}",
            f"Write {other} instead of {param} in params."
            if other
            else f"Leave {param} out of params, or give it another value.",
        ),
        "schema": (
            f"{who} does not take the structured output asked of model {model!r} ({status})",
            f'Leave structured out of {table}, or set it to "prompt".',
        ),
    }
    absent = (
        f"{who} has no model {model!r} at base_url {endpoint.base_url} ({status})",
        "Check the model's name, and that base_url ends where the API begins (often in /v1).",
    )
    return texts.get(meaning, absent)


def _tokens(fault: Fault) -> tuple[int, int] | None:
    """Tokens of the prompt and those that the model takes, where a server names both."""
    most = max(
        (int(count.replace(",", "")) for count in re.findall(_COUNT, fault.message)), default=0
    )
    limits = (int(limit.replace(",", "")) for limit in re.findall(_LIMIT, fault.message.lower()))
    limit = next((limit for limit in limits if 0 < limit < most), 0)
    return (most, limit) if limit else None
