"""The only HTTP client: bounded in bytes, time and redirects, and closed to addresses that are not public.

Nothing else opens a connection. Pace, retries and what an answer means are decided elsewhere.
"""

from __future__ import annotations

from igtool.http.addresses import LOCALHOST, check_address, is_allowed
from igtool.http.answers import NetworkError, RefusedAnswer, Response, redacted
from igtool.http.client import Client

__all__ = [
    "LOCALHOST",
    "Client",
    "NetworkError",
    "RefusedAnswer",
    "Response",
    "check_address",
    "is_allowed",
    "redacted",
]
