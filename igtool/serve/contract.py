"""What OpenAPI says of every route alike: keys, and the refusals that stand before routes."""

from __future__ import annotations

from typing import Any

from igtool.serve.api.base import Refused, TooMany, guarded
from igtool.serve.callers import ANYBODY

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "igt_<id>_<secret>",
        "description": "An API key of a tenant (`igtool tenant add NAME`). None is needed while there are no tenants.",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, in another header."},
}
_KEYED: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}, {}]
_SAFE = ("get", "head", "options")
_UNAUTHORIZED: dict[str, Any] = {
    "description": "unauthorized: there are tenants, and no key of one came along, or one that has ended",
    "headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}},
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Refused"},
            "example": {
                "error": "unauthorized",
                "details": "an API key is needed: send `Authorization: Bearer KEY`",
            },
        }
    },
}


def described(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` with keys, with what stands before every route, and without the refusal that is never sent."""
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            told.pop("422", None)
            for status, refused in guarded(is_change=method not in _SAFE).items():
                told.setdefault(status, refused)
            operation["security"] = [] if path in ANYBODY else _KEYED
            if path not in ANYBODY:
                told.setdefault("401", _UNAUTHORIZED)
            operation["responses"] = dict(sorted(told.items()))
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Refused, TooMany):
        schemas.setdefault(model.__name__, model.model_json_schema())
    return document
