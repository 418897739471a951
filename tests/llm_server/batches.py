"""Files and batches of both interfaces: what is handed in is answered at once and shown after some polls."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from .asks import Ask, chat, generate
from .replies import JSON, Reply, gemini_error, of, openai_error

Ends = Literal["completed", "expired", "failed", "cancelled"]
Answer = Callable[[Ask], Reply]

_JSONL = ("content-type", "application/jsonl")
_GEMINI_STATES = {"completed": "SUCCEEDED", "expired": "EXPIRED", "failed": "FAILED", "cancelled": "CANCELLED"}


@dataclass
class Batch:
    """One batch: ``output`` and ``errors`` are the files of its results, ``polls`` are left until it has ended."""

    name: str
    label: str
    model: str
    polls: int
    ends: Ends
    output: str = ""
    errors: str = ""
    lines: int = 0
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether its end is shown."""
        return self.polls < 0


class Batches:
    """Files and batches; ``answer`` is asked for each line. Used by one thread.

    ``polls``: how often a batch is said to be under way. ``ends``: how those end that are handed in from now on.
    ``page``: batches on a page, whatever was asked for. ``is_lost``: the next batch is made, but the answer that
    names it never arrives.
    """

    def __init__(self, answer: Answer) -> None:
        self.polls = 1
        self.ends: Ends = "completed"
        self.page = 20
        self.is_lost = False
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Batch] = {}
        self._answer = answer
        self._numbers = itertools.count(1)

    def reply(self, ask: Ask) -> Reply:
        """The answer to a request about files or batches."""
        if ask.dialect == "gemini":
            return self._gemini(ask)
        return self._openai(ask)

    # --- OpenAI ---

    def _openai(self, ask: Ask) -> Reply:
        missing = openai_error(404, f"No such object: {ask.name}", code="not_found")
        if ask.endpoint == "upload":
            name = self._kept(_multipart_file(ask), "file-")
            return of({"id": name, "object": "file", "purpose": "batch", "filename": "batch.jsonl", "created_at": 1})
        if ask.endpoint == "content":
            return Reply(200, self.files[ask.name], (_JSONL,)) if ask.name in self.files else missing
        if ask.endpoint == "submit":
            return self._told(self._submitted_openai(ask), _openai_batch)
        if ask.endpoint == "batches":
            return self._openai_page(ask)
        if ask.endpoint == "batch" and ask.name in self.batches:
            return of(_openai_batch(self._polled(ask.name)))
        return missing

    def _submitted_openai(self, ask: Ask) -> Batch | Reply:
        data = ask.data or {}
        if data.get("input_file_id") not in self.files:
            return openai_error(400, "Invalid 'input_file_id'.")
        metadata = dict(data.get("metadata") or {})
        batch = self._new("batch_", metadata.get("igtool_label", ""), "", metadata)
        output: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for line in _lines(self.files[data["input_file_id"]]):
            reply = self._answer(_line_ask(line["body"], "openai", str(line["body"].get("model", ""))))
            whole = {"id": f"batch_req_{line['custom_id']}", "custom_id": line["custom_id"], "error": None}
            if reply.is_silent or reply.is_reset:
                expired = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append(whole | {"response": None, "error": expired})
                continue
            said = {"status_code": reply.status, "request_id": "r", "body": _json(reply.body)}
            (output if reply.status == 200 else errors).append(whole | {"response": said})
        batch.lines = len(output) + len(errors)
        batch.output = self._kept(_jsonl(output), "file-") if output and batch.ends != "failed" else ""
        batch.errors = self._kept(_jsonl(errors), "file-") if errors and batch.ends != "failed" else ""
        return batch

    def _openai_page(self, ask: Ask) -> Reply:
        names = list(reversed(self.batches))
        start = names.index(ask.query["after"]) + 1 if ask.query.get("after") in self.batches else 0
        page = names[start : start + min(self.page, int(ask.query.get("limit", 20)))]
        listed = [_openai_batch(self.batches[name]) for name in page]
        more = bool(page) and page[-1] != names[-1]
        ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
        return of({"object": "list", "data": listed, "has_more": more, **ends})

    # --- Gemini ---

    def _gemini(self, ask: Ask) -> Reply:
        missing = gemini_error(404, "NOT_FOUND", f"Requested entity was not found: {ask.name}")
        if ask.endpoint == "upload":
            return self._uploaded(ask)
        if ask.endpoint == "content":
            return Reply(200, self.files[ask.name], (_JSONL,)) if ask.name in self.files else missing
        if ask.endpoint == "submit":
            return self._told(self._submitted_gemini(ask), _gemini_batch)
        if ask.endpoint == "batches":
            names = list(reversed(self.batches))
            start = int(ask.query.get("pageToken") or 0)
            stop = start + min(self.page, int(ask.query.get("pageSize") or 20))
            more = {"nextPageToken": str(stop)} if stop < len(names) else {}
            return of({"operations": [_gemini_batch(self.batches[name]) for name in names[start:stop]], **more})
        if ask.endpoint == "batch" and ask.name in self.batches:
            return of(_gemini_batch(self._polled(ask.name)))
        return missing

    def _uploaded(self, ask: Ask) -> Reply:
        """Google's upload in two steps: an address to send to, and the content."""
        if ask.headers.get("x-goog-upload-command") == "start":
            to = f"http://{ask.headers.get('host', '')}/upload/v1beta/files?upload_id={next(self._numbers)}"
            return Reply(200, b"{}", (JSON, ("x-goog-upload-url", to), ("x-goog-upload-status", "active")))
        name = self._kept(ask.body, "up")
        body = json.dumps({"file": {"name": f"files/{name}", "mimeType": "application/jsonl"}}).encode()
        return Reply(200, body, (JSON, ("x-goog-upload-status", "final")))

    def _submitted_gemini(self, ask: Ask) -> Batch | Reply:
        described = (ask.data or {}).get("batch", {})
        source = described.get("inputConfig", {}).get("fileName", "").removeprefix("files/")
        if source not in self.files:
            return gemini_error(400, "INVALID_ARGUMENT", "The input file was not found.")
        batch = self._new("b", described.get("displayName", ""), ask.name)
        output = []
        for line in _lines(self.files[source]):
            reply = self._answer(_line_ask(line["request"], "gemini", ask.name))
            if reply.is_silent or reply.is_reset:
                continue
            said = _json(reply.body)
            error = said.get("error", said) if isinstance(said, dict) else {"message": str(said)}
            output.append({"key": line["key"], **({"response": said} if reply.status == 200 else {"error": error})})
        batch.lines = len(output)
        batch.output = self._kept(_jsonl(output), "res") if batch.ends == "completed" else ""
        return batch

    # --- both ---

    def _told(self, made: Batch | Reply, shown: Callable[[Batch], dict[str, Any]]) -> Reply:
        if isinstance(made, Reply):
            return made
        lost, self.is_lost = self.is_lost, False
        return Reply(is_reset=True) if lost else of(shown(made))

    def _new(self, start: str, label: str, model: str, metadata: dict[str, str] | None = None) -> Batch:
        batch = Batch(f"{start}{next(self._numbers)}", label, model, self.polls, self.ends, metadata=metadata or {})
        self.batches[batch.name] = batch
        return batch

    def _polled(self, name: str) -> Batch:
        self.batches[name].polls -= 1
        return self.batches[name]

    def _kept(self, content: bytes, start: str) -> str:
        name = f"{start}{next(self._numbers)}"
        self.files[name] = content
        return name


def _openai_batch(batch: Batch) -> dict[str, Any]:
    shown = {
        "id": batch.name,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "created_at": 1_790_000_000,
        "input_file_id": "file-0",
        "metadata": batch.metadata,
        "status": batch.ends if batch.is_over else "in_progress",
        "request_counts": {"total": batch.lines, "completed": 0, "failed": 0},
    }
    if batch.is_over:
        shown |= {"output_file_id": batch.output or None, "error_file_id": batch.errors or None}
    if batch.is_over and batch.ends == "failed":
        shown["errors"] = {"object": "list", "data": [{"code": "invalid_json_line", "message": "Line 1 is no JSON."}]}
    return shown


def _gemini_batch(batch: Batch) -> dict[str, Any]:
    state = _GEMINI_STATES[batch.ends] if batch.is_over else "RUNNING"
    metadata: dict[str, Any] = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "name": f"batches/{batch.name}",
        "model": f"models/{batch.model}",
        "displayName": batch.label,
        "state": f"BATCH_STATE_{state}",
        "createTime": "2026-10-01T12:00:00Z",
    }
    shown: dict[str, Any] = {"name": f"batches/{batch.name}", "metadata": metadata}
    if batch.is_over and batch.output:
        metadata["output"] = {"responsesFile": f"files/{batch.output}"}
        shown |= {"done": True, "response": {"responsesFile": f"files/{batch.output}"}}
    return shown


def _line_ask(body: dict[str, Any], dialect: Literal["openai", "gemini"], model: str) -> Ask:
    """One line of a batch as a request of its own."""
    if dialect == "openai":
        return Ask("POST", "/v1/chat/completions", dialect, "chat", data=body, **chat(body))
    return Ask("POST", "/v1beta", dialect, "generate", data=body, **generate(body, model))


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in content.splitlines() if line.strip())


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _multipart_file(ask: Ask) -> bytes:
    """The content of the part with a file name of a multipart body."""
    _, _, boundary = ask.headers.get("content-type", "").partition("boundary=")
    for part in ask.body.split(b"--" + boundary.strip('"').encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    return b""
