"""A client made from ``/openapi.json`` alone: a method for each operation, which knows nothing but the description.

Arguments are held to the schemas of the parameters before anything is sent, answers to those of the responses.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx2
from jsonschema import Draft202012Validator

TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict}
Operation = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back: ``document`` is the JSON of the body, or its text."""

    status: int
    document: Any
    headers: Mapping[str, str]


class Described:
    """An OpenAPI document whose schemas can be applied."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def operations(self) -> dict[str, tuple[str, str, Operation]]:
        """Operation id to method, path and operation."""
        return {
            operation["operationId"]: (method, path, operation)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
        }

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """What of ``value`` does not fit ``schema``, whose references are of this document."""
        whole = {**schema, "components": self.document["components"]}
        return [f"{one.json_path}: {one.message[:200]}" for one in Draft202012Validator(whole).iter_errors(value)]

    def check(self, what: str, schema: Mapping[str, Any], value: Any) -> None:
        """Raises ValueError for a value that does not fit."""
        if found := self.faults(schema, value):
            raise ValueError(f"{what}: {found[0]}")


class Client:
    """The methods are put in by `generated`; their names are operation ids."""

    def __init__(self, address: str, described: Described) -> None:
        self._http = httpx2.Client(base_url=address, timeout=30)
        self._described = described

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, operation: Operation, given: dict[str, Any]) -> Answer:
        body = self._body(operation, given.pop("body", None))
        places: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.get("parameters", ()):
            name = _python_name(parameter["name"])
            if name in given:
                value = given.pop(name)
                self._described.check(parameter["name"], parameter["schema"], value)
                places[parameter["in"]][parameter["name"]] = _as_text(value)
            elif parameter.get("required"):
                raise TypeError(f"{parameter['name']} is required")
        if given:
            raise TypeError(f"{operation['operationId']} has no parameter {min(given)}")
        url = re.sub(r"\{(\w+)\}", lambda one: quote(str(places["path"][one[1]]), safe=""), path)
        headers = places["header"] | ({"content-type": body[0]} if body else {})
        content = body[1] if body else None
        answer = self._http.request(method, url, params=places["query"] or None, headers=headers, content=content)
        return self._read(operation, answer)

    def _body(self, operation: Operation, given: Any) -> tuple[str, bytes] | None:
        if "requestBody" not in operation:
            if given is not None:
                raise TypeError(f"{operation['operationId']} takes no body")
            return None
        ((kind, told),) = operation["requestBody"]["content"].items()
        self._described.check("body", told["schema"], given)
        return kind, (given if isinstance(given, str) else json.dumps(given)).encode()

    def _read(self, operation: Operation, answer: httpx2.Response) -> Answer:
        told = operation["responses"].get(str(answer.status_code))
        if told is None:
            raise ValueError(f"{operation['operationId']}: status {answer.status_code} is not described")
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if "content" not in told:
            if answer.content:
                raise ValueError(f"{operation['operationId']}: a body that is not described")
            return Answer(answer.status_code, None, answer.headers)
        if kind not in told["content"]:
            raise ValueError(f"{operation['operationId']}: {kind} is not described")
        document = answer.json() if kind == "application/json" else answer.text
        self._described.check(f"answer of {operation['operationId']}", told["content"][kind]["schema"], document)
        return Answer(answer.status_code, document, answer.headers)


def generated(address: str) -> type[Client]:
    """The class of clients of the server at ``address``."""
    described = Described(httpx2.get(f"{address}/openapi.json").json())
    methods = {name: _method(*found) for name, found in described.operations().items()}

    def opened(self: Client) -> None:
        Client.__init__(self, address, described)

    return type("GeneratedClient", (Client,), {**methods, "__init__": opened})


def _method(method: str, path: str, operation: Operation) -> Callable[..., Answer]:
    def asked(self: Client, **given: Any) -> Answer:
        return self._ask(method, path, operation, dict(given))

    asked.__name__ = operation["operationId"]
    asked.__doc__ = operation.get("description")
    parameters = [
        inspect.Parameter(
            _python_name(one["name"]), inspect.Parameter.KEYWORD_ONLY, annotation=TYPES.get(one["schema"].get("type"))
        )
        for one in operation.get("parameters", ())
    ]
    if "requestBody" in operation:
        parameters.append(inspect.Parameter("body", inspect.Parameter.KEYWORD_ONLY))
    vars(asked)["__signature__"] = inspect.Signature(parameters, return_annotation=Answer)
    return asked


def _python_name(name: str) -> str:
    return name.lower().replace("-", "_")


def _as_text(value: Any) -> Any:
    """A value as it stands in an address or a header."""
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    return value if isinstance(value, str) else json.dumps(value)
