"""Creators with pictures of one colour, what was measured in them, and a tower that sees the colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import consent_world
import pytest
from conftest import NOW
from PIL import Image
from tiny_tower import colour, write_tower

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pictures.gathering import PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.reviews.words import Word, say
from igtool.runner import Runner
from igtool.stages.base import Context, Stage
from igtool.stages.image_vectors import ImageVectors, ImageVectorsOptions
from igtool.stages.tag import Tag, TagOptions
from igtool.vision.prompts import wanted_prompts
from igtool.vision.stored import stored_form
from igtool.vision.tower import Tower
from igtool.vocabulary import tags
from igtool.vocabulary.categories import Key, TagVocabulary

RED, GREEN, BLUE, GREY = (250, 10, 10), (10, 250, 10), (10, 10, 250), (127, 127, 127)
WORDS = tags.shipped()


def prompts_for(seen: Mapping[Key, tuple[int, int, int]]) -> dict[str, Any]:
    """Vectors of the prompts of these tags: they fit pictures of that colour."""
    return {prompt: colour(*told) for key, told in seen.items() for prompt in WORDS.tags[key].prompts}


class TagWorld:
    """A lake with creators ``c_NAME``, each with one account ``instagram:NAME``, and pictures."""

    def __init__(self, folder: Path, lake: Lake, journal: Journal, *names: str) -> None:
        self.lake, self.journal, self.folder = lake, journal, folder
        self.desk = PictureDesk(PictureStore(folder / "images"), lambda _: pytest.fail("nothing is to be fetched"))
        self.vocabulary: TagVocabulary = WORDS
        self.tower: Tower | None = None
        self.clock = NOW
        consent_world.people(lake, **{name: [f"instagram:{name}"] for name in names})

    def sees(self, seen: Mapping[Key, tuple[int, int, int]]) -> None:
        """Install a tower for which pictures of these colours have these tags, and grey has none."""
        others = {prompt: colour(*GREY) for one in WORDS.categories.values() for prompt in one.background}
        write_tower(self.folder / "models", {**others, **prompts_for(seen)}, also=wanted_prompts(WORDS), scale=20.0)
        self.tower = Tower.open(self.folder / "models", device="cpu", threads=1)

    def shows(self, name: str, *colours: tuple[int, int, int], size: int = 32, **facts: Any) -> list[str]:
        """Pictures of an account, one of each colour, with one person in them; their SHA-256."""
        found = []
        for place, told in enumerate(colours):
            file = BytesIO()
            Image.new("RGB", (size + place, size + len(found)), told).save(file, "PNG")
            kept = stored_form(file.getvalue())
            self.desk.store.put(kept.sha256, kept.content)
            found.append(kept.sha256)
        media = [
            {"media_id": f"{name}/{sha256}", "account_id": f"instagram:{name}", "sha256": sha256, "fetched_at": NOW}
            for sha256 in found
        ]
        measured = {"persons_count": 1, "faces_count": 1, "framing": "half_body", "chroma": 30.0, "analyzed_at": NOW}
        with self.lake.transaction():
            self.lake.merge("media", media)
            self.lake.merge("image_facts", [{"sha256": one, **measured, **facts} for one in found])
        return found

    def stages(self) -> list[Stage]:
        """Vectors, where there is a tower, and tags."""
        model = self.tower.model if self.tower else None
        prompts = self.tower.prompts.fingerprint if self.tower else None
        tag = Tag(TagOptions(model, prompts, self.vocabulary.fingerprint), self.vocabulary)
        return [ImageVectors(ImageVectorsOptions(model)), tag] if model else [tag]

    def run(self, stages: Sequence[Stage] | None = None, **context: Any) -> Progress:
        """Bring vectors and tags up to date."""
        tower = self.tower
        made = Context(
            encoder=lambda: pytest.fail("no encoder"),
            clock=lambda: self.clock,
            pictures=self.desk,
            tower=(lambda: tower) if tower is not None else None,
            **context,
        )
        progress = Progress(self.folder / "progress.json", "r")
        runner = Runner(self.lake, self.journal, made, progress)
        runner.run(self.stages() if stages is None else stages)
        return progress

    def hears(self, name: str, tag: str, answer: Any = "approve", **told: Any) -> None:
        """Somebody says something of a tag, ``category:tag``."""
        category, _, slug = tag.partition(":")
        say(self.lake, self.vocabulary, [Word(f"c_{name}", category, slug or None, answer, **told)], self.clock)

    def tags(self, name: str) -> dict[str, float]:
        """The creator's tags with their confidence."""
        rows = self.lake.rows("from creator_tags where creator_id = ? order by category, tag", (f"c_{name}",))
        return {f"{row['category']}:{row['tag']}": row["confidence_score"] for row in rows}

    def pictures(self, name: str) -> dict[tuple[str, str], str]:
        """State of every tag of every picture of the creator, by SHA-256 and ``category:tag``."""
        rows = self.lake.rows("from image_tags where creator_id = ?", (f"c_{name}",))
        return {(row["sha256"], f"{row['category']}:{row['tag']}"): row["state"] for row in rows}
