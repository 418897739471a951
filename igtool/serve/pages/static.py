"""Style sheet, scripts and icon of the pages: a fixed list, read once, each under an address that names its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from igtool.serve.errors import NotThere

router = APIRouter(include_in_schema=False)

STATIC = {
    "pages.css": "text/css; charset=utf-8",
    "pages.js": "text/javascript; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""File name to media type; no other file is served."""
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    body: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of `STATIC` by name."""
    folder = files("igtool.serve") / "static"
    found = {}
    for name, media_type in STATIC.items():
        body = (folder / name).read_bytes()
        found[name] = Asset(body, media_type, hashlib.sha256(body).hexdigest()[:16])
    return found


def address_of(name: str) -> str:
    """Where the file ``name`` is served; another address after every change of it."""
    return f"/static/{assets()[name].digest}/{name}"


@router.get("/static/{digest}/{name}")
def static(request: Request, digest: str, name: str) -> Response:
    """A file of the pages, kept by browsers for a year."""
    asset = assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotThere("there is no such file")
    headers = {"ETag": f'"{asset.digest}"', "Cache-Control": _FOREVER}
    if f'"{asset.digest}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.body, headers=headers, media_type=asset.media_type)
