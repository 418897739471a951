"""Errors as the providers word them. Where the two interfaces differ, each behaviour has both forms.

Wordings: saved from public reports of users of OpenAI, xAI, vLLM, llama-server, Ollama, LM Studio, OpenRouter and the
Gemini API, shortened, with invented ids.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from .asks import Ask
from .replies import Reply, gemini_error, of, openai_error

Form = Callable[[Ask], Reply]

_PLAN = "You exceeded your current quota, please check your plan and billing details."
_PACE = (
    "Rate limit reached for gpt-4o-mini in organization org-invented on requests per min (RPM): Limit 3, Used 3, "
    "Requested 1. Please try again in 20s. You can increase your rate limit by adding a payment method to your "
    "account at https://platform.openai.com/account/billing."
)
_TOO_LARGE = (
    "Request too large for gpt-4o in organization org-invented on tokens per min (TPM): Limit 30000, Requested 30601. "
    "The input or output tokens must be reduced in order to run successfully."
)
_LONG = {
    "too_long": (
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    ),
    "too_long_vllm": (
        400,
        "This model's maximum context length is 4096 tokens. However, you requested 5120 tokens (4096 in the messages, "
        "1024 in the completion). Please reduce the length of the messages or completion.",
    ),
    "too_long_vllm_limit": (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is 4096 "
        "tokens and your request has 4000 input tokens.",
    ),
    "too_long_llama": (
        400,
        "request (25837 tokens) exceeds the available context size (25088 tokens), try increasing it",
    ),
    "too_long_llama_500": (500, "Context size has been exceeded."),
    "too_long_ollama": (400, "prompt too long; exceeded max context length by 808 tokens"),
    "too_long_xai": (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
    "too_long_sglang": (400, "The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
    "too_long_omlx": (400, "Prompt too long: 41911 tokens exceeds max context window of 32768 tokens"),
}


def _quota(quota_id: str, wait: str | None) -> Form:
    """A 429 of Gemini for the limit ``quota_id``."""
    details: list[dict[str, object]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]},
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
    ]
    if wait:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait})
    more = f" Please retry in {wait}." if wait else ""
    return lambda _: gemini_error(429, "RESOURCE_EXHAUSTED", f"{_PLAN} For more information head to x.{more}", *details)


def _openai(status: int, message: str, kind: str = "invalid_request_error", code: str | None = None) -> Form:
    return lambda _: openai_error(status, message, kind, code)


def _limited(*headers: tuple[str, str], message: str = _PACE) -> Form:
    return lambda _: openai_error(429, message, "requests", "rate_limit_exceeded", headers=headers)


def _limited_until_date(_: Ask) -> Reply:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    return openai_error(429, _PACE, "requests", "rate_limit_exceeded", headers=[("retry-after", until)])


def _wrong_key(ask: Ask) -> Reply:
    return openai_error(
        401,
        f"Incorrect API key provided: {ask.key}. You can find your API key at https://platform.openai.com/api-keys.",
        code="invalid_api_key",
    )


def _wrong_gemini_key(ask: Ask) -> Reply:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    debug = {"@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": f"Invalid API key: {ask.key}"}
    return gemini_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info, debug)


def _no_model(ask: Ask) -> Reply:
    return openai_error(
        404, f"The model `{ask.model}` does not exist or you do not have access to it.", code="model_not_found"
    )


def _no_gemini_model(ask: Ask) -> Reply:
    return gemini_error(404, "NOT_FOUND", f"models/{ask.model} is not found for API version v1beta.")


def _no_ollama_model(ask: Ask) -> Reply:
    return openai_error(404, f'model "{ask.model}" not found, try pulling it first', "api_error")


def _page(status: int) -> Form:
    body = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>".encode()
    return lambda _: Reply(status, body, (("content-type", "text/html"),))


OPENAI: dict[str, Form] = {
    "rate_limited": _limited(("retry-after", "20")),
    "rate_limited_soon": _limited(("retry-after-ms", "20"), ("retry-after", "1")),
    "rate_limited_date": _limited_until_date,
    "rate_limited_bare": _limited(),
    "rate_limited_empty": lambda _: Reply(429),
    "request_too_large": _limited(("retry-after", "1"), message=_TOO_LARGE),
    "quota": _openai(429, _PLAN, "insufficient_quota", "insufficient_quota"),
    "credits": lambda _: of(
        {
            "code": "personal-team-blocked:spending-limit",
            "error": "You have run out of credits or need a subscription.",
        },
        403,
    ),
    "spending_limit": lambda _: of(
        "Your team 0000 has either used all available credits or reached its monthly spending limit.", 429
    ),
    "balance": _openai(402, "Insufficient Balance", "unknown_error", "invalid_request_error"),
    "wrong_key": _wrong_key,
    "wrong_key_xai": lambda ask: of(
        {"code": "Client specified an invalid argument", "error": f"Incorrect API key provided: {ask.key}. You can …"},
        400,
    ),
    "forbidden": _openai(403, "You do not have access to the organization tied to the API key."),
    "no_model": _no_model,
    "no_model_ollama": _no_ollama_model,
    "too_large": _page(413),
    "bad_request": _openai(400, "Bad request."),
    "unknown_request": _openai(422, "messages: field required"),
    "request_timeout": _openai(408, "Request timed out."),
    "conflict": _openai(409, "Conflict."),
    "server_error": _openai(500, "The server had an error while processing your request.", "server_error"),
    "overloaded": _openai(503, "The engine is currently overloaded, please try again later.", "server_error"),
    "bad_gateway": _page(502),
    "gateway_timeout": _page(504),
    "error_inside": lambda _: of({"error": {"message": "Provider returned error", "code": 502}}),
    "limit_inside": lambda _: of({"error": {"message": "Rate limit exceeded: free-models-per-min.", "code": 429}}),
    **{name: _openai(status, message) for name, (status, message) in _LONG.items()},
}

GEMINI: dict[str, Form] = {
    "rate_limited": _quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "34.074824224s"),
    "rate_limited_soon": _quota("GenerateContentInputTokensPerModelPerMinute", "0.02s"),
    "rate_limited_bare": lambda _: gemini_error(
        429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."
    ),
    "rate_limited_empty": lambda _: Reply(429),
    "quota": _quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "34s"),
    "credits": lambda _: gemini_error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
    "wrong_key": _wrong_gemini_key,
    "forbidden": lambda _: gemini_error(403, "PERMISSION_DENIED", "Your project has been denied access."),
    "no_model": _no_gemini_model,
    "too_long": lambda _: gemini_error(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "too_large": _page(413),
    "bad_request": lambda _: gemini_error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "abroad": lambda _: gemini_error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    "server_error": lambda _: gemini_error(500, "INTERNAL", "An internal error has occurred."),
    "overloaded": lambda _: gemini_error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "gateway_timeout": lambda _: gemini_error(
        504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."
    ),
    "bad_gateway": _page(502),
}
