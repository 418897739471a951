"""The contract of every stage: a batch of rows in, rows and rejects out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

import pyarrow as pa

from igtool.arrow import Rows, joined
from igtool.encoders.base import Encoder
from igtool.lake import Lake
from igtool.llms.questions import Question, Result
from igtool.pictures.gathering import PictureDesk
from igtool.schema import written
from igtool.vision.looking import Eyes
from igtool.vision.tower import Tower
from igtool.vocabulary.categories import Category

Row = dict[str, Any]
Need = Literal["encoder", "words", "pictures"]


@dataclass(frozen=True)
class Reject:
    """An item that did not make it: ``reason`` is a slug, ``detail`` a sentence for a person."""

    item_id: str
    reason: str
    detail: str = ""
    path: str | None = None
    line: int | None = None


@dataclass
class Output:
    """What a stage made of a batch.

    ``tables``: table name to rows. ``done``: items that came out as rows. ``postponed``: items that stay pending with
    what they had, because what the stage asks cannot be asked now. Every item of the batch is in one of these or in
    ``rejects``, or the runner stops. ``variants``: item to the name and version of what made it, for a stage
    that has several ways.
    """

    tables: dict[str, Rows] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    variants: dict[str, str] = field(default_factory=dict)

    def add(self, other: Output) -> None:
        """Take what ``other`` holds too."""
        for name, rows in other.tables.items():
            before = self.tables.get(name)
            self.tables[name] = rows if before is None else joined(written(name), [before, rows])
        self.done += other.done
        self.rejects += other.rejects
        self.postponed += other.postponed
        self.variants |= other.variants


@dataclass(frozen=True)
class PictureAsk:
    """Asks a vision-language model about pictures.

    ``name``: the provider and its model, as ``provider:model``. ``ask``: what came of each question, in order; None
    for one that was not asked. ``may_ask``: whether the tags of a category may be asked of this model: those that need
    consent only of one on this machine, and a question about them raises ConfigError elsewhere.
    """

    name: str
    ask: Callable[[Sequence[Question]], list[Result]]
    may_ask: Callable[[Category], bool]


@dataclass(frozen=True)
class Context:
    """What a stage may use besides its batch."""

    encoder: Callable[[], Encoder]
    clock: Callable[[], datetime]
    ask: Callable[[Sequence[Question]], list[Result]] | None = None
    """Asks a language model; None without one."""
    pictures: PictureDesk | None = None
    """Fetches and keeps pictures; None where none are to be had."""
    eyes: Callable[[], Eyes] | None = None
    """Opens the models that look at pictures; None without them."""
    tower: Callable[[], Tower] | None = None
    """Opens the image encoder; None without one."""
    ask_about_pictures: PictureAsk | None = None
    """Asks a vision-language model; None without one."""


@dataclass(frozen=True)
class NoOptions:
    """A stage without options."""


class Stage:
    """One step of the pipeline.

    ``keys`` is SQL that yields ``item_id`` and ``fingerprint`` of every item that should exist; the runner finds
    those whose fingerprint, with ``version`` and ``Options``, is not recorded yet. ``rows`` is SQL that yields the
    input columns (``item_id`` among them) for the items named in the view ``batch(item_id, fingerprint)``.
    ``key`` is the column that holds the item id in every table of ``writes``; when an item disappears from
    ``keys`` its rows go too. Tables of ``writes`` that are also in ``appends`` only grow.

    ``ours`` is SQL over ``item_id``: among what was done by the stage, the items that are looked at. Others, made with
    other options, stay as they are.

    The items of a `JointStage` depend on each other: it has no ``rows``, and instead of ``process`` its ``relate``
    works on the tables in one transaction, told what changed by ``memory.pending(item_id, fingerprint, known)`` and
    ``memory.gone(item_id)``.

    Every batch looks through whole tables for its rows, so more items are worked on at once as long as that is quick,
    from ``batch_size`` up to ``most_at_once``.

    A ``timely`` stage may have something to do because time went by: it is looked at in every run.

    ``elsewhere`` says what a stage needs besides its rows where another process or machine works on them: ``encoder``
    (one that is not paid for), ``words`` (vectors of our own vocabulary), ``pictures`` (the files, and the models that
    look at them). None: it stays in this process, because it asks somebody, fetches, or works on whole tables.

    A ``streamed`` stage is a pure function of each row. All its pending rows are read as one stream, in no order,
    and cut in pieces that several processes work on; ``rows`` also passes ``fingerprint`` and ``known`` of
    ``batch`` through, and there is no encoder.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    reads: ClassVar[tuple[str, ...]]
    writes: ClassVar[tuple[str, ...]]
    key: ClassVar[str]
    keys: str
    ours: str = "true"
    appends: ClassVar[tuple[str, ...]] = ()
    batch_size: int = 500
    most_at_once: ClassVar[int] = 0
    streamed: ClassVar[bool] = False
    timely: ClassVar[bool] = False
    elsewhere: ClassVar[frozenset[Need] | None] = None
    subject: str = "item_id"
    """SQL over the columns of ``keys``: of whom an item is, by which shards are told."""
    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

    def variants(self) -> frozenset[str] | None:
        """Those of ``Output.variants`` that are current: what another one made is pending. None: there is one way."""
        return None


class BatchStage(Stage):
    """A stage whose items are worked on batch by batch, each by itself."""

    rows: str

    @abstractmethod
    def process(self, batch: pa.Table, context: Context) -> Output:
        """The batch's rows made into output rows; reads and writes nothing else."""


class JointStage(Stage):
    """A stage whose items depend on each other."""

    @abstractmethod
    def relate(self, lake: Lake, context: Context) -> None:
        """Bring the tables up to date with the items that changed or are gone."""
