"""YouTube beyond lists of channels and videos: named channels, InnerTube's displays, tables of trending videos."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA, needs_realdata
from payload_rows import WHEN, Read, read

from igtool.platforms import countries
from igtool.platforms.base import Parsed, knows, outcome_of, parse
from igtool.platforms.files import Document, Unreadable, read_documents

PAYLOADS = Path(__file__).parent / "payloads/youtube"
REAL = REALDATA / "youtube"
COOK = "youtube:UCinventedCookChannel001"
RUNNER = "youtube:UCinventedRunChannel0002"
LISTS = "youtube:UCinventedPlaylist000003"


def payload(name: str, subject: str | None = None) -> Read:
    """The rows of the payload of that name."""
    return read((PAYLOADS / name).read_bytes(), subject=subject)


def changed(name: str, **fields: Any) -> Read:
    """The rows of that payload with other values of some keys; None takes a key out."""
    body = json.loads((PAYLOADS / name).read_bytes()) | fields
    return read(json.dumps({key: value for key, value in body.items() if value is not None}))


def real(pattern: str, subject: str | None = None) -> list[Parsed]:
    """What every document of the real files gives, in order."""
    found = []
    for path in sorted(REAL.glob(pattern)):
        for document in read_documents(path, knows=knows):
            assert isinstance(document, Document), document
            found.append(parse(document.body, subject=subject, observed_at=WHEN))
    return found


def test_search_page_names_channels_and_no_videos() -> None:
    """A page of search results gives each channel once, the fullest word on it, no videos, and names what it lost."""
    page = payload("other/search_page.json")
    assert [account["account_id"] for account in page.accounts] == [COOK, RUNNER]
    assert not any(account["is_profile"] or account["handle"] for account in page.accounts)
    assert page.accounts[0]["bio"] == "Recetas de casa, cada semana …"
    assert page.accounts[0]["profile_image_url"] == "https://pictures.example/a-large.jpg"
    assert page.accounts[0]["created_at"] == datetime(2015, 6, 7, 8, 9, 10, tzinfo=UTC)
    assert page.accounts[1]["display_name"] == "Run With Me"
    assert page.content_items == []
    assert len(page.lost) == 1
    assert "items[3]" in page.lost[0]


def test_playlist_items_name_the_owners_of_list_and_video() -> None:
    """An item of a playlist names who made the list and whose video it is; one without a snippet names nobody."""
    page = payload("other/playlist_items.json")
    assert [account["account_id"] for account in page.accounts] == [LISTS, RUNNER]
    assert (page.content_items, page.lost) == ([], [])


@pytest.mark.parametrize(
    ("name", "shape", "accounts", "items"),
    [
        ("playlist.json", "playlist", [LISTS], []),
        ("video.json", "video", [COOK], ["youtube:invVideo005"]),
        ("channel.json", "channel", [COOK], []),
        ("categories.json", "videoCategory", [], []),
        ("sections.json", "channelSection", [], []),
    ],
)
def test_resources_outside_a_list(name: str, shape: str, accounts: list[str], items: list[str]) -> None:
    """A resource on its own gives the rows that it gives in a list; what is about no creator is read without rows."""
    found = payload(f"other/{name}")
    assert (found.outcome, found.reason, found.shape) == ("ok", None, f"youtube/{shape}")
    assert [account["account_id"] for account in found.accounts] == accounts
    assert [item["content_id"] for item in found.content_items] == items


def test_bare_channel_is_a_profile_and_the_channel_of_a_video_is_none() -> None:
    """Only a channel's own resource counts as its profile; a video tells its exact views."""
    assert payload("other/channel.json").accounts[0]["is_profile"]
    video = payload("other/video.json")
    assert not video.accounts[0]["is_profile"]
    assert video.content_items[0]["view_count"] == 999007199255
    assert video.content_items[0]["duration_s"] == 754


def test_statistics_of_nobody_are_refused() -> None:
    """Counts without an id are a reject that names the field, whatever else they hold."""
    found = payload("other/bare_statistics.json")
    assert (found.reason, found.detail[:2]) == ("missing-field", "id")


def test_about_box_in_words_for_people() -> None:
    """Counts, the day of opening, the country's name and links without scheme become columns."""
    account = payload("innertube/about.json").accounts[0]
    assert (account["account_id"], account["handle"]) == ("youtube:@cocinadelola", "cocinadelola")
    assert (account["followers_count"], account["posts_count"]) == (1_020_000, 1234)
    assert account["view_count"] == 98_765_432
    assert account["created_at"] == datetime(2016, 2, 7, tzinfo=UTC)
    assert (account["country"], account["country_source"]) == ("BA", "channel_country")
    assert account["links"] == ["https://book.example/lola", "https://shop.example/"]
    assert account["bio"] == "Recipes and walks. Write to [e-mail]"
    assert account["flags"] == []


def test_about_box_of_a_channel_without_handle() -> None:
    """The id comes from the address; a country that is none and a day that is none are NULL with flags."""
    account = payload("innertube/about_by_id.json").accounts[0]
    assert (account["account_id"], account["followers_count"]) == (COOK, 0)
    assert (account["country"], account["created_at"]) == (None, None)
    assert account["flags"] == ["bad-time", "unknown-country"]


def test_about_box_of_another_site_is_another_shape() -> None:
    """The same keys with the address of another site are not read as a channel."""
    assert changed("innertube/about.json", url="www.video.example/@lola").shape != "youtube/innertube_about"


def test_tile_needs_to_be_told_whose_it_is() -> None:
    """A tile of a channel's videos is refused unless the file's name says the handle; its time is approximate."""
    assert payload("innertube/tile.json").reason == "missing-field"
    item = payload("innertube/tile.json", subject="Lola").content_items[0]
    assert (item["account_id"], item["view_count"], item["duration_s"]) == ("youtube:@lola", 451_000, 3723)
    assert item["published_at"] == datetime(2025, 12, 26, tzinfo=UTC)
    assert item["flags"] == ["approximate-time", "handle-from-subject"]
    assert item["media_urls"] == ["https://pictures.example/6l.jpg"]


@pytest.mark.parametrize(
    ("length", "kind", "seconds", "flags"),
    [
        ("0:59", "short", 59, []),
        ("1:01", "video", 61, []),
        ("SHORTS", "short", None, []),
        ("LIVE", "video", None, []),
        (None, "video", None, []),
        ("an hour", "video", None, ["bad-duration"]),
    ],
)
def test_length_of_a_tile(length: str | None, kind: str, seconds: float | None, flags: list[str]) -> None:
    """Clock times become seconds and tell shorts; words in their place are no length."""
    body = json.loads((PAYLOADS / "innertube/tile.json").read_bytes()) | {"lengthText": length}
    item = read(json.dumps(body), subject="lola").content_items[0]
    assert (item["type"], item["duration_s"]) == (kind, seconds)
    assert item["flags"] == sorted([*flags, "approximate-time", "handle-from-subject"])


def test_player_and_page_of_a_video() -> None:
    """The player's details and the page of a video name the channel and give the video with its counts."""
    player, page = payload("innertube/player.json"), payload("innertube/page.json")
    short, video = player.content_items[0], page.content_items[0]
    assert (short["type"], short["duration_s"], short["hashtags"]) == ("short", 44, ["soup"])
    assert short["media_urls"] == ["https://pictures.example/7l.jpg"]
    assert (video["like_count"], video["comment_count"]) == (10, None)
    assert video["published_at"] == datetime(2024, 7, 17, tzinfo=UTC)
    assert short["account_id"] == video["account_id"] == page.accounts[0]["account_id"] == COOK
    assert (page.accounts[0]["handle"], page.accounts[0]["followers_count"]) == ("cocinadelola", 1_020_000)
    assert not page.accounts[0]["is_profile"]


def test_stream_that_goes_on_has_no_length() -> None:
    """YouTube writes 0 seconds for a live stream: unknown, and no short."""
    item = changed("innertube/player.json", lengthSeconds="0").content_items[0]
    assert (item["duration_s"], item["type"]) == (None, "video")


def test_older_trending_record() -> None:
    """YY.DD.MM is the day it was true; closed comments are unknown, not 0; the channel is known by its title."""
    found = payload("trending/older.json")
    item, account = found.content_items[0], found.accounts[0]
    assert item["observed_at"] == datetime(2017, 11, 14, tzinfo=UTC)
    assert (item["content_id"], item["comment_count"]) == ("youtube:invVideo009", None)
    assert (item["like_count"], item["view_count"]) == (57527, 748374)
    assert item["description"] == "Follow https://book.example/lola\nAD: thanks to nobody\n#soup"
    assert item["links"] == ["https://book.example/lola"]
    assert item["flags"] == ["comments-disabled"]
    assert account["account_id"] == item["account_id"] == "youtube:title:Cocina de Lola"
    assert (account["handle"], account["platform_user_id"], account["is_profile"]) == (None, None, False)
    assert account["flags"] == ["known-by-title"]
    assert {row["observed_at"] for row in found.metric_snapshots} == {item["observed_at"]}


def test_trending_record_without_video_id() -> None:
    """A record that names no video is known by its channel and its time, and says so."""
    found = payload("trending/without_video_id.json")
    item = found.content_items[0]
    assert item["content_id"] == "youtube:title:Cocina de Lola/1510593181"
    assert (item["url"], item["like_count"], item["comment_count"]) == (None, None, 159)
    assert item["flags"] == ["no-post-id", "ratings-disabled", "removed"]


def test_trending_record_of_nothing_is_refused() -> None:
    """Without an id and a time there is no telling which video it was, without a title no telling whose."""
    assert (payload("trending/unknown_id.json").reason, payload("trending/unknown_id.json").detail) == (
        "missing-field",
        "video_id",
    )
    assert changed("trending/older.json", channel_title=" ").detail == "channel_title"


def test_newer_trending_record_is_set_right() -> None:
    """Wrongly decoded text is repaired and flagged; the channel has its id and the day comes from the record."""
    found = payload("trending/newer_mojibake.json")
    item = found.content_items[0]
    assert item["title_or_caption"] == "LOLA - ‘Sopa de otoño’ M/V"
    assert found.accounts[0]["display_name"] == "Cocina de Lola España"
    assert found.accounts[0]["flags"] == item["flags"] == ["repaired-mojibake"]
    assert (found.accounts[0]["account_id"], item["description"]) == (COOK, None)
    assert item["observed_at"] == datetime(2022, 9, 10, tzinfo=UTC)


def test_trending_day_that_is_none_leaves_the_time_of_the_file() -> None:
    """Where the record's day cannot be read, the row is flagged and was true when the file was written."""
    item = changed("trending/older.json", trending_date="17.14.13").content_items[0]
    assert item["flags"] == ["bad-time", "comments-disabled"]
    assert item["observed_at"] == WHEN


def test_same_video_on_several_days_is_one_row_with_history(tmp_path: Path) -> None:
    """Records of a table are observations at their days: other ids would make other rows, other times do not clash."""
    record = json.loads((PAYLOADS / "trending/older.json").read_bytes())
    lines = [
        ",".join(record),
        *(
            ",".join(f'"{cell}"' for cell in (record | each).values())
            for each in (
                {"tags": "", "trending_date": "17.14.11"},
                {"tags": "", "trending_date": "17.15.11", "views": "800000"},
            )
        ),
    ]
    (tmp_path / "videos.csv").write_text("\n".join(lines), encoding="utf-8")
    read_rows = [
        read(one.body) for one in read_documents(tmp_path / "videos.csv", knows=knows) if isinstance(one, Document)
    ]
    assert {row.content_items[0]["content_id"] for row in read_rows} == {"youtube:invVideo009"}
    seen = [(row.content_items[0]["observed_at"].day, row.content_items[0]["view_count"]) for row in read_rows]
    assert seen == [(14, 748374), (15, 800000)]


@pytest.mark.parametrize(
    ("columns", "is_known"),
    [
        ("video_id trending_date title channel_title publish_time views likes comment_count comments_disabled", True),
        ("trending_date title channel_title publish_time views likes comment_count comments_disabled", True),
        ("video_id trending_date title channelId publishedAt view_count likes comment_count comments_disabled", True),
        ("video_id trending_date title publish_time views likes comment_count comments_disabled", False),
        ("video_id trending_date title channel_title views likes comment_count comments_disabled", False),
    ],
)
def test_tables_of_trending_videos_are_told_by_their_columns(columns: str, is_known: bool) -> None:
    """A table that does not tell the channel or the time of publishing is refused as a whole."""
    assert knows(columns.split()) == is_known


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Spain", "ES"),
        ("TÜRKİYE", "TR"),
        ("Turkey", "TR"),
        ("Bosnia and Herzegovina", "BA"),
        ("Cote d’Ivoire", "CI"),
        ("St Lucia", "LC"),
        ("Korea, Republic of", "KR"),
        ("Korea", None),
        ("Atlantis", None),
        ("", None),
        (None, None),
    ],
)
def test_country_names(name: str | None, code: str | None) -> None:
    """English names in their usual spellings have a code; an ambiguous one and what is no country have none."""
    assert countries.code_of(name) == code


@needs_realdata
def test_real_answers_of_the_data_api() -> None:
    """All 32 real answers are read, or classified by what is wrong with them; nothing is an unknown shape."""
    found = real("data_api_v3/**/*.json")
    assert len(found) == 32
    assert sorted(one.reason for one in found if one.reason) == ["error-auth", "missing-field"]
    assert all(one.lost == [] for one in found)
    assert len({account.account_id for one in found for account in one.accounts if account.display_name}) == 33
    assert len({item.content_id for one in found for item in one.content_items}) == 6


@needs_realdata
def test_real_innertube_results() -> None:
    """Of the real results every channel, tile and short is read, with all that its documented fields tell."""
    (about,) = real("innertube_parsed/channels.json")
    (short,) = real("innertube_parsed/shorts.json")
    tiles = real("innertube_parsed/channel_videos.json", subject="somebody")
    filled = ("bio", "handle", "followers_count", "posts_count", "view_count", "created_at", "country", "links")
    assert all(getattr(about.accounts[0], column) for column in filled)
    assert (short.content_items[0].type, short.content_items[0].duration_s) == ("short", 44)
    items = [tile.content_items[0] for tile in tiles]
    assert len({item.content_id for item in items}) == 60
    assert all(item.published_at and item.view_count and item.duration_s for item in items)


@needs_realdata
@pytest.mark.parametrize(
    ("name", "records", "videos", "days", "channels", "flag", "flagged"),
    [
        ("USvideos_full_columns.csv", 144, 144, 144, 144, "comments-disabled", 2),
        ("US_videos_mojibake.csv", 500, 45, 499, 22, "repaired-mojibake", 425),  # one record is there twice
        ("USvideos_slim.csv", 6000, 1475, 6000, 837, "ratings-disabled", 34),
    ],
)
def test_real_trending_tables(
    name: str, records: int, videos: int, days: int, channels: int, flag: str, flagged: int
) -> None:
    """Each record of a table gives its video and its channel at its own day, and none a reject."""
    found = real(f"trending/{name}")
    items = [one.content_items[0] for one in found]
    assert len(items) == records
    assert len({item.content_id for item in items}) == videos
    assert len({(one.content_items[0].content_id, one.observed_at) for one in found}) == days
    assert len({one.accounts[0].account_id for one in found}) == channels
    assert sum(flag in item.flags for item in items) == flagged
    assert all(item.view_count and item.published_at for item in items)
    assert all(one.observed_at and one.observed_at < WHEN for one in found)


@needs_realdata
def test_table_of_channels_without_handles_is_one_reject() -> None:
    """A table that names channels by title alone is refused as a whole, not record by record."""
    found = list(read_documents(REAL / "channels_labelled/Global_YouTube_Statistics.csv", knows=knows))
    assert [one.reason for one in found if isinstance(one, Unreadable)] == ["unknown-columns"]
    assert len(found) == 1


def test_outcome_agrees_with_the_rows() -> None:
    """What the raw row says of these payloads is what reading them says."""
    for path in sorted(PAYLOADS.rglob("*.json")):
        if path.parent.name in {"innertube", "other", "trending"} and not path.name.endswith(".rows.json"):
            found = read(path.read_bytes())
            assert found.outcome in (outcome_of(path.read_bytes()), "invalid"), path.name
