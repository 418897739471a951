"""Pictures on loopback, made here, and accounts whose items show them."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Self

import numpy as np
from PIL import Image

NEWEST = datetime(2026, 9, 1, tzinfo=UTC)


def photo(seed: int, side: int = 200, kind: str = "JPEG") -> bytes:
    """A picture file of soft shapes, another one for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


class PictureServer:
    """Serves what ``answers`` holds by path: status, body, headers; counts what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.asked[path] += 1
                status, body, headers = outer.answers.get(path, (404, b"", {}))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def has(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Serve ``body`` at ``path``; its address."""
        self.answers[path] = (status, body, headers)
        return f"{self.url}{path}"


def account(number: int, **more: Any) -> dict[str, Any]:
    """A row of ``accounts``."""
    return {
        "account_id": f"instagram:{number}",
        "platform": "instagram",
        "platform_user_id": str(number),
        "handle": f"invented{number}",
        "answer_id": "a",
        "is_profile": True,
        "observed_at": NEWEST,
    } | more


def item(number: int, owner: int, urls: list[str], likes: int | None = None, **more: Any) -> dict[str, Any]:
    """A row of ``content_items``, the greater number the newer."""
    return {
        "content_id": f"instagram:p{number}",
        "platform": "instagram",
        "account_id": f"instagram:{owner}",
        "type": "post",
        "media_urls": urls,
        "like_count": likes,
        "published_at": NEWEST - timedelta(days=100 - number),
        "answer_id": "a",
        "observed_at": NEWEST,
    } | more
