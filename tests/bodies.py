"""What real servers say about a failure, and what a person would read from it: shared by test and docs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from builder.engines.meanings import Asked, Meaning

SHAPED = Asked("small-1", "json_schema", ("temperature", "max_tokens"))


class Body(NamedTuple):
    """A failing reply: who says it, its status and body, what it means, and how long it asks to wait."""

    who: str
    status: int
    body: Any
    meaning: Meaning
    after: float | None = None
    asked: Asked = SHAPED
    headers: tuple[tuple[str, str], ...] = ()


def _openai(message: str, code: str | None = None, kind: str = "invalid_request_error", param: str | None = None) -> Any:  # fmt: skip
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _anthropic(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _vllm(message: str, kind: str = "BadRequestError", code: int = 400) -> Any:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _gemini(code: int, status: str, message: str, *details: Any) -> Any:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return [{"error": error}]


TOP_K = Asked("small-1", "json_schema", ("top_k",))
PLAIN = Asked("small-1", "text", ("temperature",))
FREE_TIER = (
    "You exceeded your current quota, please check your plan and billing details. "
    "* Quota exceeded for metric: free_tier_requests, limit: 15."
)
ON_RATES = "Add a payment method to raise your limit: https://example.com/account/billing"

TABLE = (
    # Too many calls or tokens: wait as long as it asks, then go on more slowly.
    Body("OpenAI", 429, _openai(f"Rate limit reached for small-1 on requests per min (RPM): Limit 60, Used 60. Please try again in 1.2s. {ON_RATES}", "rate_limit_exceeded", "requests"), "wait", 1.2),
    Body("OpenAI", 429, _openai("Rate limit reached for small-1 on tokens per min (TPM). Please try again in 6ms.", "rate_limit_exceeded", "tokens"), "wait", 0.006),
    Body("OpenAI", 429, _openai("Rate limit reached on tokens per day. Please try again in 1h12m3.5s.", "rate_limit_exceeded", "tokens"), "wait", 4323.5),
    Body("Anthropic", 429, _anthropic("rate_limit_error", "This request would exceed your organization's rate limit."), "wait", 7.0, headers=(("retry-after", "7"),)),
    Body("Anthropic", 529, _anthropic("overloaded_error", "Overloaded"), "wait"),
    Body("Azure", 429, _openai("Requests to this operation have exceeded the call rate limit of your tier. Please retry after 26 seconds.", "429"), "wait", 26.0),
    Body("Gemini", 429, _gemini(429, "RESOURCE_EXHAUSTED", FREE_TIER, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}), "wait", 17.0),
    Body("Gemini", 429, _gemini(429, "RESOURCE_EXHAUSTED", FREE_TIER + " Please retry in 1.5s."), "wait", 1.5),
    Body("Gemini", 429, {"error": {"code": 429, "message": FREE_TIER, "status": "RESOURCE_EXHAUSTED"}}, "wait"),
    Body("Gemini", 503, _gemini(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), "trouble"),
    Body("Groq", 429, _openai("Rate limit reached for model on tokens per minute (TPM): Limit 6000, Used 5900. Please try again in 4.6s. Need more tokens? Upgrade at https://example.com/billing", "rate_limit_exceeded", "tokens"), "wait", 4.6),
    Body("Mistral", 429, {"message": "Requests rate limit exceeded"}, "wait"),
    Body("Moonshot", 429, _openai("Your account request reached max organization concurrency: 3, please try again after 1 seconds", None, "rate_limit_reached_error"), "wait", 1.0),
    Body("Moonshot", 429, _openai("The engine is currently overloaded, please try again later", None, "engine_overloaded_error"), "wait"),
    Body("DashScope", 429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded, please try again later."}, "wait"),
    Body("DashScope", 429, {"error": {"code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded, please increase your quota limit."}}, "wait"),
    Body("Zhipu", 429, {"error": {"code": "1302", "message": "您的账户已达到速率限制，请您控制请求频率"}}, "wait"),
    Body("SiliconFlow", 429, {"code": 20012, "message": "Request was rejected due to rate limiting. Details: TPM limit reached.", "data": None}, "wait"),
    Body("a Chinese gateway", 429, {"message": "请求过于频繁，请在 5 秒后重试"}, "wait", 5.0),
    Body("LiteLLM", 429, {"error": {"message": "Rate limit exceeded for api_key. Limit type: requests. Limit resets at: 2100-01-01 00:00:00 UTC", "type": "None", "param": "None", "code": "429"}}, "wait", 2.0, headers=(("retry-after", "2"),)),
    Body("Bedrock", 429, {"__type": "ThrottlingException", "message": "Too many requests, please wait before trying again."}, "wait"),
    Body("OpenRouter", 200, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-min."}}, "wait"),
    Body("TGI", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "wait"),
    Body("a proxy", 429, "<html><h1>429 Too Many Requests</h1></html>", "wait"),
    # No money: nothing goes on before somebody pays.
    Body("OpenAI", 429, _openai("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"), "money"),
    Body("OpenAI", 429, _openai("You exceeded your current quota, please check your plan and billing details."), "money"),
    Body("OpenAI", 400, _openai("Billing hard limit has been reached", "billing_hard_limit_reached"), "money"),
    Body("Anthropic", 400, _anthropic("invalid_request_error", "Your credit balance is too low to access the API. Please go to Plans & Billing."), "money"),
    Body("DeepSeek", 402, _openai("Insufficient Balance", "invalid_request_error", "unknown_error"), "money"),
    Body("OpenRouter", 402, {"error": {"code": 402, "message": "This request requires more credits, or fewer max_tokens."}}, "money"),
    Body("LiteLLM", 422, {"error": {"message": "Budget has been exceeded! Current cost: 0.5, Max budget: 0.001", "type": "budget_exceeded", "param": None, "code": "422"}}, "money"),
    Body("MiniMax", 500, _anthropic("api_error", "insufficient balance (1008)"), "money"),
    Body("MiniMax", 200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, "money"),
    Body("Zhipu", 429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, "money"),
    Body("SiliconFlow", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}, "money"),
    Body("DashScope", 400, {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."}, "money"),
    Body("Volcengine", 403, {"error": {"code": "AccountOverdueError", "message": "The request failed because your account has an overdue balance."}}, "money"),
    Body("Moonshot", 429, _openai("Your account is suspended, please check your plan", None, "exceeded_current_quota_error"), "money"),
    Body("new-api", 403, _openai("用户额度不足, 剩余额度: 0", "insufficient_user_quota", "new_api_error"), "money"),
    Body("Fireworks", 412, {"error": {"message": "Account suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.", "code": "PRECONDITION_FAILED"}}, "money"),
    Body("xAI", 403, {"code": "The caller does not have permission", "error": "Your newly created team doesn't have any credits yet."}, "money"),
    Body("Anthropic", 400, _anthropic("invalid_request_error", "You have reached your specified API usage limits. You will regain access on 2100-01-01 at 00:00 UTC."), "money"),
    # Key, access, address.
    Body("OpenAI", 401, _openai("Incorrect API key provided.", "invalid_api_key"), "key"),
    Body("Anthropic", 401, _anthropic("authentication_error", "invalid x-api-key"), "key"),
    Body("Gemini", 400, _gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", {"reason": "API_KEY_INVALID"}), "key"),
    Body("Mistral", 401, {"detail": "Unauthorized"}, "key"),
    Body("LiteLLM", 403, {"error": {"message": "key not allowed to access model.", "type": "key_model_access_denied", "code": "403"}}, "forbidden"),
    Body("a firewall", 403, "<html><title>Attention Required!</title></html>", "forbidden"),
    Body("a web server", 404, "<html><h1>404 Not Found</h1></html>", "address"),
    Body("FastAPI", 404, {"detail": "Not Found"}, "address"),
    Body("FastAPI", 405, {"detail": "Method Not Allowed"}, "address"),
    # The model's name.
    Body("OpenAI", 404, _openai("The model `small-1` does not exist or you do not have access to it.", "model_not_found"), "model"),
    Body("Anthropic", 404, _anthropic("not_found_error", "model: small-1 was not found"), "model"),
    Body("vLLM", 404, _vllm("The model `small-1` does not exist. Valid aliases: smol.", "NotFoundError", 404), "model"),
    Body("LiteLLM", 400, {"error": {"message": "/chat/completions: Invalid model name passed in model=small-1. Call `/v1/models` to view available models for your key.", "type": "invalid_request_error", "param": None, "code": "400"}}, "model"),
    Body("Ollama", 404, _openai('model "small-1" not found, try pulling it first', None, "api_error"), "model"),
    Body("Mistral", 400, {"object": "error", "message": "Invalid model: small-1", "type": "invalid_model", "param": None, "code": "1500"}, "model"),
    Body("OpenRouter", 400, {"error": {"message": "small-1 is not a valid model ID", "code": 400}}, "model"),
    Body("Azure", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, "model"),
    Body("new-api", 503, _openai("No available channel for model small-1 under group default", "model_not_found", "new_api_error"), "model"),
    Body("transformers serve", 400, {"detail": "Server is pinned to 'other'"}, "model"),
    Body("Bedrock", 400, {"message": "The provided model identifier is invalid."}, "model"),
    # A prompt that is too long: this row alone.
    Body("Zhipu", 400, {"error": {"code": "1261", "message": "Prompt 超长"}}, "long"),
    Body("a Chinese gateway", 400, {"error": {"message": "输入内容过长，超出模型上下文长度限制，最大 8192 tokens", "code": None}}, "long"),
    Body("vLLM", 400, _vllm("The decoder prompt (length 5035) is longer than the maximum model length of 1024."), "long"),
    Body("a gateway", 400, {"error": {"message": json.dumps(_openai("This model's maximum context length is 1024 tokens", "context_length_exceeded"))}}, "long"),
    Body("OpenAI", 400, _openai("This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.", "context_length_exceeded", param="messages"), "long"),
    Body("Anthropic", 400, _anthropic("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"), "long"),
    Body("Anthropic", 413, _anthropic("request_too_large", "Request exceeds the maximum size"), "long"),
    Body("vLLM", 400, _vllm("This model's maximum context length is 1024 tokens. However, you requested 5035 tokens (4935 in the messages, 100 in the completion)."), "long"),
    Body("vLLM", 400, _vllm("max_tokens=100000 cannot be greater than max_model_len=1024."), "long"),
    Body("llama.cpp", 400, {"error": {"code": 400, "message": "request (5035 tokens) exceeds the available context size (1024 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5035, "n_ctx": 1024}}, "long"),
    Body("LiteLLM", 400, {"error": {"message": "litellm.ContextWindowExceededError: prompt does not fit", "type": None, "param": None, "code": "400"}}, "long"),
    Body("TGI", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 5035", "error_type": "validation"}, "long"),
    Body("SGLang", 400, _vllm("The input (5035 tokens) is longer than the model's context length (1024 tokens)."), "long"),
    Body("Together", 422, _openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens"), "long"),
    Body("Groq", 413, _openai("Request too large for model `small-1` on tokens per minute (TPM): Limit 6000, Requested 8000, please reduce your message size and try again.", "rate_limit_exceeded", "tokens"), "long"),
    Body("Gemini", 400, _gemini(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."), "long"),
    Body("DashScope", 400, {"error": {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 30720]"}}, "long"),
    Body("Bedrock", 400, {"message": "Input is too long for requested model."}, "long"),
    Body("nginx", 413, "<html><h1>413 Request Entity Too Large</h1></html>", "long"),
    # The filter: this prompt alone.
    Body("Azure", 400, {"error": {"message": "The response was filtered.", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "filter"),
    Body("DashScope", 400, {"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}}, "filter"),
    Body("OpenRouter", 403, {"error": {"code": 403, "message": "Input was flagged by moderation", "metadata": {"reasons": ["violence"]}}}, "filter"),
    Body("Volcengine", 400, {"error": {"code": "SensitiveContentDetected", "message": "The request failed because the input text may contain sensitive information."}}, "filter"),
    Body("Zhipu", 400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}, "filter"),
    Body("a Chinese gateway", 400, {"error": {"message": "输入文本包含不合规内容"}}, "filter"),
    # One answer that went wrong: refused, and asked again.
    Body("Groq", 400, {"error": {"message": "Failed to generate JSON. Please adjust your prompt.", "type": "invalid_request_error", "code": "json_validate_failed", "failed_generation": '{"text": "half'}}, "generation"),
    Body("Groq", 400, {"error": {"message": "Failed to validate JSON.", "failed_generation": ""}}, "generation"),
    # The schema is refused: the next way of asking for structure.
    Body("OpenAI", 400, _openai("Invalid schema for response_format 'answer': 'oneOf' is not permitted.", None, param="response_format"), "schema"),
    Body("OpenAI", 400, _openai("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."), "schema"),
    Body("a gateway", 400, _openai("Input validation error", param="response_format"), "schema"),
    Body("a gateway", 400, _openai("JSON Schema not supported: could not understand the instance"), "schema"),
    Body("Gemini", 400, _gemini(400, "INVALID_ARGUMENT", 'Unknown name "additionalProperties" at generation_config.response_schema: Cannot find field.'), "schema"),
    Body("Anthropic", 400, _anthropic("invalid_request_error", "output_format.schema: Schema type oneOf is not supported"), "schema"),
    Body("vLLM", 400, _vllm("Grammar error: unexpected token"), "schema"),
    Body("llama.cpp", 400, {"error": {"code": 400, "message": "Unable to generate parser for this template: JSON schema error at #: unrecognized type", "type": "invalid_request_error"}}, "schema"),
    Body("llama.cpp", 500, {"error": {"code": 500, "message": "failed to parse grammar", "type": "server_error"}}, "schema"),
    Body("LM Studio", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, "schema", asked=SHAPED._replace(mode="json_object")),
    Body("OpenRouter", 404, {"error": {"code": 404, "message": "No endpoints found that support structured outputs."}}, "schema"),
    Body("Mistral", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format", "json_schema"], "msg": "Extra inputs are not permitted"}]}, "schema"),
    # A param is refused: it is named.
    Body("OpenAI", 400, _openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "unsupported_parameter", param="max_tokens"), "param"),
    Body("OpenAI", 400, _openai("Unsupported value: 'temperature' does not support 0.2 with this model.", "unsupported_value"), "param"),
    Body("vLLM", 400, _vllm("[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs are not permitted', 'input': 800}]"), "param", asked=TOP_K),
    Body("Mistral", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted", "input": 5}]}, "param", asked=TOP_K),
    Body("transformers serve", 422, {"detail": "Unexpected fields in the request: {'top_k'}"}, "param", asked=TOP_K),
    Body("LiteLLM", 400, {"error": {"message": "litellm.UnsupportedParamsError: small-1 does not support parameters: ['top_k']", "code": "400"}}, "param", asked=TOP_K),
    Body("Anthropic", 400, _anthropic("invalid_request_error", "temperature: must be less than or equal to 1"), "param"),
    # Trouble of the server: again.
    Body("OpenAI", 500, _openai("The server had an error while processing your request.", None, "server_error"), "trouble"),
    Body("nginx", 502, "<html><h1>502 Bad Gateway</h1></html>", "trouble"),
    Body("nginx", 503, "", "trouble"),
    Body("nginx", 503, "", "trouble", 3.0, headers=(("retry-after", "3"),)),
    Body("a proxy", 524, "error code: 524", "trouble"),
    Body("llama.cpp", 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "trouble"),
    Body("TGI", 424, {"error": "Request failed during generation", "error_type": "generation"}, "trouble"),
    Body("OpenRouter", 200, {"error": {"code": 502, "message": "Provider returned error"}}, "trouble"),
    Body("OpenRouter", 200, {"choices": [{"error": {"code": 502, "message": "Upstream gave up"}, "message": {"content": ""}}]}, "trouble"),
    Body("a gateway", 200, {"code": 500, "msg": "something broke", "success": False}, "trouble"),
    Body("a gateway", 200, {"detail": "upstream timed out"}, "trouble"),
    Body("OpenAI", 409, _openai("The resource is being changed."), "trouble"),
    # Refused without a word that tells why: this row, unless all are.
    Body("OpenAI", 400, _openai("Something in the request is not right."), "request", asked=PLAIN),
    Body("a server", 422, {"detail": "Unprocessable"}, "request", asked=PLAIN),
    Body("a server", 418, "", "request", asked=PLAIN),
)  # fmt: skip


def as_markdown() -> str:
    """The table for docs/failures.md."""
    lines = ["| who | says | it means |", "| --- | --- | --- |"]
    for body in TABLE:
        text = (
            body.body if isinstance(body.body, str) else json.dumps(body.body, ensure_ascii=False)
        )
        said = f"{body.status} `` {_cell(text)} ``" if text else f"{body.status}, nothing"
        headers = "".join(f" with `{name}: {value}`" for name, value in body.headers)
        wait = "" if body.after is None else f", {body.after:g} s"
        lines.append(f"| {body.who} | {said}{headers} | {body.meaning}{wait} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
