"""Instagram's official way: the Business Discovery field of the Graph API.

It tells of business and creator accounts what they show in public, asked by a business account of one's own: so an
account that "cannot be found" here may be a personal one. Sources: the Graph API reference pages "Business
Discovery", "IG User" and "IG Media"; for paging "Paginated Results"; for the headers "Rate Limits".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from igtool.errors import ConfigError
from igtool.http import Response
from igtool.pacing import Limit, Policy
from igtool.platforms import values
from igtool.platforms.base import Refused
from igtool.platforms.live import POSTS, PROFILE, Call, Item, Key, Page, Source, Start, Task
from igtool.platforms.outcomes import Verdict, decoded, judge
from igtool.platforms.shapes.instagram_rows import media_id

T = TypeVar("T")

ITEMS_A_PAGE = 25
"""What the API gives unless asked for more."""

_PROFILE_FIELDS = "id,username,name,biography,website,followers_count,follows_count,media_count,profile_picture_url"
_MEDIA_FIELDS = (
    "id,caption,media_type,media_product_type,like_count,comments_count,timestamp,permalink,media_url,thumbnail_url"
)
_HANDLE = re.compile(r"[A-Za-z0-9._]{1,30}")
_CURSOR = re.compile(r"[A-Za-z0-9_=+/|:%.~-]{1,2000}")
"""Neither braces, brackets nor commas: handle and cursor stand inside the expression ``fields``."""

_USER_ID = re.compile(r"[0-9]{1,30}")
_TOKEN = re.compile(r"[!-~]+")
_PERMALINK = re.compile(r"https?://[^/?#]+/(?:[\w.]+/)?(?:p|reels?|tv)/([\w-]+)", re.ASCII)


class _Cursors(msgspec.Struct):
    after: str | None = None


class _Paging(msgspec.Struct):
    cursors: _Cursors | None = None
    next: str | None = None


class _Media(msgspec.Struct):
    id: str | int | None = None
    timestamp: str | None = None
    permalink: str | None = None


class _MediaPage(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    paging: _Paging | None = None


class _Account(msgspec.Struct):
    id: str | int | None = None
    username: str | None = None
    media: _MediaPage | None = None


class _Body(msgspec.Struct):
    business_discovery: _Account | None = None


class _Usage(msgspec.Struct):
    """Shares of a limit in percent; ``estimated_time_to_regain_access`` in minutes, above 0 once it is reached."""

    call_count: float = 0
    total_time: float = 0
    total_cputime: float = 0
    estimated_time_to_regain_access: float = 0

    @property
    def score(self) -> float:
        percent = max(self.call_count, self.total_time, self.total_cputime)
        return 1.0 if self.estimated_time_to_regain_access > 0 else min(max(percent / 100, 0.0), 1.0)


_BODY = msgspec.json.Decoder(_Body)
_MEDIA = msgspec.json.Decoder(_Media)
_APP_USAGE = msgspec.json.Decoder(_Usage)
_BUSINESS_USAGE = msgspec.json.Decoder(dict[str, list[_Usage]])


class InstagramGraph(Source):
    """Business and creator accounts through the official API: the recommended source, with a token of one's own."""

    name = "instagram_graph"
    platform = "instagram"
    kinds: ClassVar[tuple[str, ...]] = (PROFILE, POSTS)
    is_partial = True
    policy: ClassVar[Policy] = Policy(limits=(Limit(200, 3600),), jitter_s=(1.0, 2.0), batch_size=0)

    def keys(self) -> tuple[Key, ...]:
        """The token of the settings; the user id that goes with it is checked as well."""
        if self._token and self.settings.instagram_graph_user_id:
            self._user_id()
            if not _TOKEN.fullmatch(self._token):
                raise ConfigError("INSTAGRAM_GRAPH_TOKEN holds a space or a letter that no token has: copy it again")
            return (Key(hashlib.sha256(self._token.encode()).hexdigest()[:8], self._token),)
        missing = [] if self._token else ["INSTAGRAM_GRAPH_TOKEN (an access token)"]
        if not self.settings.instagram_graph_user_id:
            missing.append("INSTAGRAM_GRAPH_USER_ID (the id of your own Instagram professional account)")
        names = " and IGTOOL_".join(missing)
        raise ConfigError(f"the source instagram_graph needs IGTOOL_{names}: set it in the environment or in .env")

    def call(self, tasks: Sequence[Task], key: Key) -> Call:
        """The request for the one task; raises Refused for what must not stand in the expression ``fields``."""
        (task,) = tasks
        if not _HANDLE.fullmatch(task.handle):
            raise Refused("bad-handle", f"{task.handle[:60]!r} is no Instagram handle")
        if task.cursor is not None and not _CURSOR.fullmatch(task.cursor):
            raise Refused("bad-cursor", f"{task.cursor[:60]!r} is no cursor of the Graph API")
        after = f".after({task.cursor})" if task.cursor else ""
        media = f"media{after}.limit({self.settings.page_size or ITEMS_A_PAGE}){{{_MEDIA_FIELDS}}}"
        fields = f"business_discovery.username({task.handle}){{{_PROFILE_FIELDS},{media}}}"
        url = f"{self.settings.instagram_graph_url}/{self._user_id()}?{urlencode({'fields': fields})}"
        return Call("business_discovery", url, {"authorization": f"Bearer {key.secret}"})

    def page(self, task: Task, body: bytes) -> Page:
        """The profile with its first posts, or the same with a later page of posts."""
        account = decoded(_BODY, body).business_discovery
        if account is None:
            raise Refused("missing-field", "business_discovery")
        if values.identifier(account.id) is None or not account.username:
            raise Refused("missing-field", f"business_discovery.{'username' if account.id else 'id'}")
        if account.username.lower() != task.handle.lower():
            raise Refused("wrong-subject", f"asked for {task.handle}, got {account.username[:60]!r}")
        media = account.media or _MediaPage()
        items = tuple(_items(media.data or ()))
        paging = media.paging or _Paging()
        cursor = (paging.cursors and paging.cursors.after) or None
        # The last page of a field inside another has no `after`; there is no `next` there to go by.
        more = cursor is not None or bool(paging.next)
        if task.kind == PROFILE:
            start = Start(task.handle, cursor or next(iter(_candidates(paging)), None), is_end=not more)
            return Page(items, more=False, follow={POSTS: start})
        return Page(items, cursor, more, () if cursor else _candidates(paging))

    def judge(self, response: Response) -> Verdict:
        """The generic verdict for an API without pages; its words do not repeat the token."""
        verdict = judge(response.status, response.body, has_pages=False)
        if self._token and self._token in verdict.words:  # "Malformed access token …" quotes it
            return replace(verdict, words=verdict.words.replace(self._token, "***"))
        return verdict

    def usage_score(self, headers: Mapping[str, str]) -> float | None:
        """The greatest share that ``x-app-usage`` and ``x-business-use-case-usage`` tell; None without either."""
        app = _usage(_APP_USAGE, headers.get("x-app-usage"))
        business = _usage(_BUSINESS_USAGE, headers.get("x-business-use-case-usage")) or {}
        told = [*([app] if app else []), *(usage for usages in business.values() for usage in usages)]
        return max((usage.score for usage in told), default=None)

    @property
    def _token(self) -> str:
        setting = self.settings.instagram_graph_token
        return setting.get_secret_value().strip() if setting else ""

    def _user_id(self) -> str:
        """The asking account's id. Raises ConfigError for one that is none."""
        user_id = (self.settings.instagram_graph_user_id or "").strip()
        if not _USER_ID.fullmatch(user_id):
            raise ConfigError(f"INSTAGRAM_GRAPH_USER_ID is digits only (17841…), not {user_id[:60]!r}")
        return user_id


def _usage(decoder: msgspec.json.Decoder[T], header: str | None) -> T | None:
    """What a header of usage says; None when it is not there or not what it was."""
    try:
        return decoder.decode(header) if header else None
    except (msgspec.DecodeError, UnicodeError):
        return None


def _candidates(paging: _Paging) -> tuple[str, ...]:
    """The cursor in the address of the next page, which holds the token too and is not followed itself."""
    return tuple(parse_qs(urlsplit(paging.next or "").query).get("after", ()))


def _items(raws: Sequence[msgspec.Raw]) -> Iterator[Item]:
    """The posts that can be read, by the id that other sources have for them where the permalink tells it.

    Raises msgspec.ValidationError when none can be; the others are told when the answer becomes rows.
    """
    trouble: msgspec.ValidationError | None = None
    is_any = False
    for raw in raws:
        try:
            media = _MEDIA.decode(raw)
        except msgspec.ValidationError as error:
            trouble = error
            continue
        is_any = True
        match = _PERMALINK.match(media.permalink or "")
        native_id = (media_id(match[1]) if match else None) or values.identifier(media.id)
        if native_id is not None:
            yield Item(native_id, values.iso_moment(media.timestamp, []))
    if trouble is not None and not is_any:
        raise trouble
