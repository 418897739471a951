"""Single views of Instagram's web client: one post, the posts of a hashtag, a user looked up by id, a whole page.

- ``shortcode_media`` and ``hashtag``, below ``graphql`` or ``data``; their posts are those of ``instagram_user``
- ``{"data": {"user": {"reel": {"owner": {"id", "username", …}}}}}``: a name and a picture
- ``window._sharedData`` of a page: ``{"entry_data": {"ProfilePage": [{…}]}}`` around any answer of its time
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from igtool.platforms.base import Answer, Parsed, Refused, Shape, Top
from igtool.platforms.shapes import instagram_legacy, instagram_user
from igtool.platforms.shapes.instagram_legacy import OWNED, Named, owners
from igtool.platforms.shapes.instagram_rows import add_page
from igtool.platforms.shapes.instagram_v1 import keys


class _Edges(msgspec.Struct, gc=False):
    edges: msgspec.Raw = msgspec.Raw(b"[]")


_EDGES = msgspec.json.Decoder(_Edges)
_LIST = msgspec.json.Decoder(list[msgspec.Raw] | None)
_NAMED = msgspec.json.Decoder(Named)
_NULL = msgspec.Raw(b"null")
_HASHTAG = ("edge_hashtag_to_media", "edge_hashtag_to_top_posts")
_ONE_POST = ("shortcode_media", "xdt_shortcode_media")


def _below_graphql(top: Top, _: Answer) -> Parsed | None:
    return _view(keys(top["graphql"]))


def _below_data(top: Top, _: Answer) -> Parsed | None:
    return _view(keys(top["data"])) or _reel(keys(top["data"]))


def _view(layer: Top) -> Parsed | None:
    """One post, or the posts of a hashtag, as GraphQL answers have them."""
    for name in _ONE_POST:
        if keys(layer.get(name, _NULL)).keys() >= {"id", "shortcode"}:
            parsed = add_page(Parsed(), [instagram_user.read_post(layer[name], name)])
            parsed.accounts = owners([OWNED.decode(layer[name]).owner])
            return parsed
    hashtag = keys(layer.get("hashtag", _NULL))
    if not hashtag.keys() >= {"name", _HASHTAG[0]}:
        return None
    return _graph_posts({f"hashtag.{name}": _EDGES.decode(hashtag[name]).edges for name in _HASHTAG if name in hashtag})


def _graph_posts(lists: Mapping[str, msgspec.Raw]) -> Parsed:
    """The posts of several lists of edges, each once; those that cannot be read are named in ``lost``.

    Raises Refused, the first one, when there were posts and none could be read.
    """
    return add_page(
        Parsed(),
        (
            instagram_user.read_post(keys(edge).get("node", _NULL), f"{name}.edges[{position}].node")
            for name, edges in lists.items()
            for position, edge in enumerate(_LIST.decode(edges) or ())
        ),
    )


def _reel(layer: Top) -> Parsed | None:
    """A user looked up by id: the name and the picture, without counts and posts; a post beside it had no id."""
    reel = keys(keys(layer.get("user", _NULL)).get("reel", _NULL))
    named = next((reel[name] for name in ("owner", "user") if keys(reel.get(name, _NULL))), None)
    if named is None:
        return None
    accounts = owners([_NAMED.decode(named)])
    if not accounts:
        raise Refused("missing-field", "data.user.reel.user.id or .username")
    beside = [f"{name}: no id or no shortcode" for name in _ONE_POST if bytes(layer.get(name, _NULL))[:1] == b"{"]
    return Parsed(accounts=accounts, lost=beside)


def _shared_data(top: Top, answer: Answer) -> Parsed | None:
    """What the first page of ``entry_data`` that can be read holds."""
    for raw in keys(top["entry_data"]).values():
        try:
            pages = _LIST.decode(raw)
        except msgspec.ValidationError:
            continue
        for page in map(keys, pages or ()):
            for shape in _PAGES:
                parsed = shape.read(page, answer) if shape.keys <= page.keys() else None
                if parsed is not None:
                    return parsed
    return None


_GRAPHQL_VIEW = Shape("instagram/graphql_view", frozenset({"graphql"}), _below_graphql, version=2)
_PAGES = (
    _GRAPHQL_VIEW,
    *(shape for shape in instagram_user.SHAPES if "graphql" in shape.keys),
    *(shape for shape in instagram_legacy.SHAPES if shape.keys != {"data"}),
)
"""What a page of Instagram could hold."""

SHAPES = (
    _GRAPHQL_VIEW,
    Shape("instagram/data_view", frozenset({"data"}), _below_data, version=2),
    Shape("instagram/shared_data", frozenset({"entry_data"}), _shared_data, version=2),
)
