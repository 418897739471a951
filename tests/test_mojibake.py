"""Texts that went through the wrong decoder."""

import csv

import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given
from hypothesis import strategies as st

from igtool.platforms.mojibake import repair

TEXTS = [
    "Café con leche",
    "CANCIÓN DEL VERANO",
    "El Niño ‘Pink Venom’ — 10€",
    "블랙핑크 로제",
    "Привет, мир",
    "Γειά σου Κόσμε",
    "שלום עולם",
    "مرحبا بالعالم",
    "今日はいい天気 ☀️",
    "Łódź i Gdańsk, kız İstanbul",
    "❤️ family 😍 👨‍👩‍👧",
    "25°C à la plage",
    "Thảo và Hà Nội",
]
SOUND = [
    "ROSÉ” said",
    "“MANHÔ e “IRMÔ",
    "vidíš… myslíš” víš–",
    "grâce à\xa0«\xa0Paris\xa0»",
    "né…» dit-il",
    "olé¡¡ está»…",
    "´´Café´´ bar",
    "Spaß” und Fuß™",
    "das „Ä“ und „Ü“",
    "CAFÉ® NESPRESSÓ™",
    "¸˛Ç◊ı˜Â¯˘¿",
    "表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀",
    "CAFÉ\x94 and caf\xe9\x85",
    "\x80\x81\x91 controls",
    "Å–Ä",
    "São Paulo, Ñandú, Ærø, þú",
    "\ufffd\ufffd\x91«\ufffd",
]


def misread(text: str, codec: str = "cp1252") -> str:
    """UTF-8 read with the wrong codec; bytes that Windows-1252 leaves unassigned come through."""
    if codec == "latin-1":
        return text.encode().decode("latin-1")
    return "".join(
        bytes([byte]).decode("cp1252") if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in text.encode()
    )


@pytest.mark.parametrize("codec", ["cp1252", "latin-1"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("text", TEXTS)
def test_misread_texts_come_back(text: str, codec: str, times: int) -> None:
    """Texts of many scripts are restored exactly, misread once or twice."""
    broken = text
    for _ in range(times):
        broken = misread(broken, codec)
    assert repair(broken) == (text, True)


@pytest.mark.parametrize("text", [*TEXTS, *SOUND, "", "plain ASCII"])
def test_sound_texts_are_left_alone(text: str) -> None:
    """Text that by accident holds valid UTF-8 is not touched."""
    assert repair(text) == (text, False)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("â€œHelloâ€", "“Hello”"),
        ("â€œHelloâ€\ufffd you", "“Hello” you"),
        ("voilÃ  tout cafÃ©", "voilà tout café"),
        ("un dÃa mÃ¡s", "un día más"),
        ("cafÃ© ì\ufffd´ì§€", "café \ufffd지"),
        ("OlÃ© â¤ï¸", "Olé â¤\ufe0f"),
        ("soundé and cafÃ©", "soundé and café"),
    ],
)
def test_lossy_texts(broken: str, text: str) -> None:
    """What lost bytes on the way comes back where it can only have been one thing, else it is marked or left."""
    assert repair(broken) == (text, True)


@given(st.text(max_size=40) | st.text(alphabet="aé ÃÂâ€ðŸ™”»…¡\x9d\xa0\ufffdìÐ", max_size=30))
def test_any_text_is_safe(text: str) -> None:
    """No text makes it fail, and the flag says whether something changed."""
    repaired, changed = repair(text)
    assert changed == (repaired != text)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80))
def test_ascii_is_sound(text: str) -> None:
    """Nothing without accents is changed."""
    assert repair(text) == (text, False)


@needs_realdata
def test_real_lists() -> None:
    """Every damaged text of the real list becomes readable; of the sound lists none is changed."""
    trending = REALDATA / "youtube" / "trending"
    with (trending / "US_videos_mojibake.csv").open(encoding="utf-8-sig", newline="") as file:
        broken = [cell for row in csv.reader(file) for cell in row if not cell.isascii()]
    repaired = [repair(cell) for cell in broken]
    assert len(broken) > 700
    assert all(changed for _, changed in repaired)
    assert not [text for text, _ in repaired if "â€" in text or "Ã" in text or "\x9d" in text]
    sound = []
    for path in (
        trending / "USvideos_full_columns.csv",
        trending / "USvideos_slim.csv",
        REALDATA / "influencers" / "starngage_spain_2026.csv",
        REALDATA / "influencers" / "spain_top4000__Influencers.csv",
    ):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            sound += [cell for row in csv.reader(file) for cell in row if not cell.isascii()]
    assert len(sound) > 2_000
    assert [cell for cell in sound if repair(cell)[1]] == []
