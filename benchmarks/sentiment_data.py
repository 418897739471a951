"""Labelled real texts for measuring sentiment and topics, their split, and what of the taxonomy their labels mean.

The data lie in ../shared/realdata and may be used for tests only: nothing of them is stored here, and nothing that
ships is trained on them.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

REALDATA = Path(__file__).parents[2] / "shared" / "realdata" / "support"

REASONS = {
    "Customer Service Issue": ("bad_support", "on_hold"),
    "Late Flight": ("flight_delay",),
    "Cancelled Flight": ("flight_cancellation", "order_cancellation"),
    "Lost Luggage": ("baggage_lost",),
    "Bad Flight": ("seating_comfort", "product_quality"),
    "Flight Booking Problems": ("booking", "app_problem", "account_access", "pricing", "billing"),
    "Flight Attendant Complaints": ("staff_conduct",),
    "longlines": ("queues",),
    "Damaged Luggage": ("baggage_damaged",),
}
"""Negative reasons of the airline tweets; the tenth, "Can't Tell", is the one given where no cluster is assigned."""

TOPICS = {
    "AmazonHelp-200-inbound": {
        "Delivery": ("delivery",), "Prime": ("subscription",), "Alexa": ("voice_assistant",), "Kindle": ("e_reader",),
        "Echo": ("voice_assistant",), "Fire TV": ("tv_streaming",), "Bad Support": ("bad_support",),
        "Service Praise": ("service_praise",), "Order Cancellation": ("order_cancellation",), "Return": ("returns",),
        "Refund": ("refund",), "Replacement": ("replacement",), "Account": ("account_access",),
        "Packaging": ("packaging",),
    },
    "SpotifyCares-200-inbound": {
        "Song/Artist": ("content_catalogue",), "App": ("app_problem",), "Playlist": ("playlist",),
        "Premium": ("subscription",), "Student Subscription": ("student_plan",),
        "Family Subscription": ("family_plan",), "Account": ("account_access",), "Billing/Payment": ("billing",),
        "Hulu": ("tv_streaming",), "Advertisement": ("advertising",),
    },
    "AmazonHelp-100-outbound": {
        "Provide URL": ("gives_link",), "Request to not send personal details": ("keep_private",),
        "Provide delivery date": ("gives_delivery_time",), "Apologize": ("apology",),
        "Refer to specialist team": ("escalation",), "Request to call by phone": ("phone_or_chat",),
        "Request to reach out by chat": ("phone_or_chat",),
        "Investigate Issue": ("investigating", "asks_what_happened"),
    },
    "SpotifyCares-100-outbound": {
        "Provide URL": ("gives_link",), "Request username via DM": ("asks_account_details",),
        "Request email address via DM": ("asks_account_details",),
        "Request exact issue description": ("asks_what_happened",), "Request device restart": ("troubleshooting",),
        "Request device and OS version": ("asks_device_details",), "Request Spotify version": ("asks_device_details",),
        "Request logout and login": ("troubleshooting",), "Request error message": ("asks_what_happened",),
        "Refer to specialist team": ("escalation",), "Offer further help": ("further_help",),
    },
}  # fmt: skip
"""Labels of the support tweets; two labels that mean one cluster are one."""


@dataclass(frozen=True)
class Row:
    """A labelled text; ``labels`` holds one class, or any number of topics."""

    text: str
    labels: tuple[str, ...]


def is_dev(text: str) -> bool:
    """Whether a text is in the development half: the SHA-256 of it begins with a digit below 8."""
    return hashlib.sha256(text.encode()).hexdigest()[0] < "8"


def split(rows: list[Row], part: str) -> list[Row]:
    """The rows of ``dev`` or ``test``; ``all`` are both."""
    return [row for row in rows if part == "all" or is_dev(row.text) == (part == "dev")]


def tweet_sentiment() -> list[Row]:
    """TweetEval: 1,565 rows of its test part."""
    return _labelled("tweet_eval/sentiment.csv", "label")


def tweet_emotion() -> list[Row]:
    """TweetEval emotions as signs: joy and optimism against anger and sadness."""
    sign = {"joy": "positive", "optimism": "positive", "anger": "negative", "sadness": "negative"}
    return [Row(row.text, (sign[row.labels[0]],)) for row in _labelled("tweet_eval/emotion.csv", "label")]


def airline_sentiment() -> list[Row]:
    """Tweets to US airlines, equal texts once."""
    return _once(_labelled("airline_Tweets.csv", "airline_sentiment"))


def airline_reasons() -> list[Row]:
    """The negative ones of them with a reason."""
    return [row for row in _once(_labelled("airline_Tweets.csv", "negativereason")) if row.labels[0]]


def support_topics(name: str) -> list[Row]:
    """One of the files of ``TOPICS``: any number of labels a row."""
    with (REALDATA / f"labelled_topics/twcs-{name}.csv").open(encoding="utf-8") as file:
        return [
            Row(row["text"], tuple(label for label in TOPICS[name] if row[label] not in ("", "0")))
            for row in csv.DictReader(file)
        ]


def _labelled(name: str, column: str) -> list[Row]:
    with (REALDATA / name).open(encoding="utf-8") as file:
        return [Row(row["text"], (row[column],)) for row in csv.DictReader(file)]


def _once(rows: list[Row]) -> list[Row]:
    return list({row.text: row for row in rows}.values())
