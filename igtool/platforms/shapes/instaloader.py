"""Instaloader's files of metadata: ``{"node": {…}, "instaloader": {"version", "node_type"}}``.

The node is what Instagram's web answers hold (``instagram_user``); where Instaloader asked the private API, that
API's object is in it as ``iphone_struct``, and it knows more. A post may carry the whole profile of its owner.
Source of the fields: ``get_json_structure`` and ``Post.from_iphone_struct`` of Instaloader.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes import instagram_user, instagram_v1
from igtool.platforms.shapes.instagram_rows import add_page
from igtool.platforms.shapes.instagram_v1 import keys

T = TypeVar("T", Account, ContentItem)


class _Stamp(msgspec.Struct):
    """What Instaloader says of its own file."""

    node_type: str | None = None


_STAMP = msgspec.json.Decoder(_Stamp)
_PRIVATE = "iphone_struct"


def _read(top: Top, answer: Answer) -> Parsed | None:
    if "node_type" not in keys(top["instaloader"]):
        return None
    kind = _STAMP.decode(top["instaloader"]).node_type
    if kind == "Profile":
        return _profile(top["node"], "node", answer)
    if kind == "Post":
        return _post(top["node"], answer)
    if kind == "StoryItem":  # no public counts, and posting frequency is about what stays
        raise Refused("story", "node is gone after a day")
    raise Refused("unknown-shape", f"instaloader.node_type is {str(kind)[:60]!r}")


def _profile(raw: msgspec.Raw, where: str, answer: Answer) -> Parsed:
    """The profile and its posts. One without counts was only named by something else."""
    node = keys(raw)
    parsed = instagram_user.read_user(where, {where: msgspec.Raw(b'{"user":' + bytes(raw) + b"}")}, answer)
    if parsed is None or not parsed.accounts:
        parsed = Parsed(accounts=[instagram_v1.read_user(raw, where, answer)])
    account = parsed.accounts[0]
    if _PRIVATE in node:
        account = _filled(account, instagram_v1.read_user(node[_PRIVATE], f"{where}.{_PRIVATE}", answer))
    account.is_profile = account.followers_count is not None or account.posts_count is not None
    parsed.accounts = [account]
    return parsed


def _post(raw: msgspec.Raw, answer: Answer) -> Parsed:
    node = keys(raw)
    found = [instagram_user.read_post(raw, "node")]
    if _PRIVATE in node:
        found.insert(0, instagram_v1.read_post(node[_PRIVATE], f"node.{_PRIVATE}"))
    items = [item for item in found if isinstance(item, ContentItem)]
    if not items:
        return add_page(Parsed(), found)
    item = _filled(items[0], items[-1])
    owner = _owner(node, item.account_id, answer)
    return add_page(Parsed(accounts=owner.accounts, lost=owner.lost), [item, *owner.content_items])


def _owner(node: Top, account_id: str, answer: Answer) -> Parsed:
    """What a post tells of its owner: nothing when it names somebody else, or only an id."""
    try:
        if "username" in keys(node.get("owner", msgspec.Raw(b"null"))):
            found = _profile(node["owner"], "owner", answer)
        else:
            user = keys(node.get(_PRIVATE, msgspec.Raw(b"null"))).get("user")
            if user is None or "username" not in keys(user):
                return Parsed()
            found = _profile(user, f"{_PRIVATE}.user", answer)
    except (Refused, msgspec.ValidationError) as error:
        return Parsed(lost=[f"node.owner: {error}"])
    return found if found.accounts[0].account_id == account_id else Parsed()


def _filled(row: T, other: T) -> T:
    """``row`` with what only ``other`` knows."""
    for name in row.__struct_fields__:
        if getattr(row, name) is None:
            setattr(row, name, getattr(other, name))
    return row


SHAPES = (Shape("instagram/instaloader", frozenset({"node", "instaloader"}), _read, version=2),)
