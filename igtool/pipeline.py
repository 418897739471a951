"""The stages of this version in order, and what follows from them: the index and the exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from igtool.asking.encoding import open_encoder
from igtool.asking.opening import provider_of, questions_at_once
from igtool.asking.pictures import picture_model_name
from igtool.description import PromptOptions
from igtool.errors import ConfigError, UsageError
from igtool.export import export_tables
from igtool.runner import Runner, in_order
from igtool.schema import EXPORTED
from igtool.search.build import is_fresh, renew_index
from igtool.search.folder import current_name
from igtool.session import Session, open_session
from igtool.settings import Settings
from igtool.stages.analyze import Analyze
from igtool.stages.base import BatchStage, Stage
from igtool.stages.body import Body, BodyOptions
from igtool.stages.describe import Describe, DescribeOptions, Renewal
from igtool.stages.drift import Drift
from igtool.stages.embed import Embed, EmbedOptions, EmbedStyle
from igtool.stages.image_vectors import ImageVectors, ImageVectorsOptions
from igtool.stages.image_verdicts import ImageVerdicts, ImageVerdictsOptions
from igtool.stages.images import Images, ImagesOptions
from igtool.stages.insights import Insights, Reader
from igtool.stages.normalize import Normalize
from igtool.stages.picture_facts import PictureFacts, PictureFactsOptions
from igtool.stages.resolve import Resolve
from igtool.stages.tag import Tag, TagOptions
from igtool.vision import keyframes
from igtool.vision.looking import has_age_check, installed
from igtool.vision.prompts import wanted_prompts
from igtool.vision.tower import Tower, read_prompts, towers_model
from igtool.vocabulary import tags

_STAGES = (
    Normalize, Drift, Embed, Resolve, Analyze, Describe, EmbedStyle, Insights, Images, PictureFacts, Body, ImageVectors,
    ImageVerdicts, Tag,
)  # fmt: skip
NAMES = (*(stage.name for stage in _STAGES), "index", "export")


def stages_of(settings: Settings, names: Sequence[str] = ()) -> list[Stage]:
    """The named stages that need no language model, with their options; all of them if none is named."""
    stages: list[Stage] = [Normalize(), Drift(), Embed(_embed_options(settings)), Resolve(), Analyze()]
    return [stage for stage in stages if not names or stage.name in names]


def _embed_options(settings: Settings) -> EmbedOptions:
    return EmbedOptions(open_encoder(settings).model, settings.embedding_items)


def passes_of(settings: Settings, names: Sequence[str] = ()) -> list[list[Stage]]:
    """The named stages, all of them if none is named, in passes that follow each other.

    After the first pass everything is there, made without a language model. What one says goes into the same tables
    in the second; what is made of these comes last.
    """
    described = describe_stage(settings)
    second: list[Stage] = [described, Analyze()] if described is not None else []
    third: list[Stage] = [EmbedStyle(_embed_options(settings)), insights_stage(settings)]
    third += picture_stages(settings, names)
    passes = [second, third, *([stage] for stage in verdict_stages(settings, names))]
    further = [[stage for stage in stages if not names or stage.name in names] for stages in passes]
    return [stages_of(settings, names), *further]


def picture_stages(settings: Settings, names: Sequence[str] = ()) -> list[Stage]:
    """The stages of pictures that are named, or all of them where the settings want pictures. Raises ConfigError."""
    folder = settings.workspace / "models"
    wanted = {name for name in NAMES if settings.pictures or name in names}
    stages: list[Stage] = []
    if Images.name in wanted:
        stages.append(Images(ImagesOptions(settings.pictures_per_account, _stills(settings))))
    if PictureFacts.name in wanted:
        stages.append(PictureFacts(PictureFactsOptions(" ".join(installed(folder)))))
    if settings.body_measurements and (not names or Body.name in names):
        stages.append(body_stage(settings))
    tower = towers_model(folder)
    if tower is not None and ImageVectors.name in wanted:
        stages.append(ImageVectors(ImageVectorsOptions(tower)))
    elif ImageVectors.name in names:
        Tower.open(folder)  # says what is missing
    if Tag.name in wanted:
        stages.append(tag_stage(settings))
    return stages


def tag_stage(settings: Settings) -> Tag:
    """The stage that tells tags. Raises ConfigError for a vocabulary or prompts that cannot be used."""
    folder = settings.workspace / "models"
    vocabulary = tags.load(settings.workspace)
    prompts = read_prompts(folder)
    if prompts is not None:
        prompts.vectors_of(wanted_prompts(vocabulary))  # one that is missing is told before hours of other work
    fingerprint = prompts.fingerprint if prompts is not None else None
    return Tag(TagOptions(towers_model(folder), fingerprint, vocabulary.fingerprint), vocabulary)


def verdict_stages(settings: Settings, names: Sequence[str] = ()) -> list[Stage]:
    """The stages that ask a model about uncertain tags, then take its word; none where the settings name no model."""
    model = picture_model_name(settings)
    if model is None or not (settings.pictures or {ImageVerdicts.name, Tag.name} & set(names)):
        return []
    vocabulary = tags.load(settings.workspace)
    return [ImageVerdicts(ImageVerdictsOptions(model), vocabulary), tag_stage(settings)]


def _stills(settings: Settings) -> int:
    return settings.picture_stills if keyframes.is_installed() else 0


def describe_stage(settings: Settings) -> Describe | None:
    """The stage that asks a language model; None when the settings name none. Raises ConfigError."""
    provider = provider_of(settings)
    if provider is None:
        return None
    options = DescribeOptions(
        provider=provider.name,
        model=provider.model,
        always=settings.llm == "always",
        uncertain_below=settings.llm_uncertain_below,
        shown=PromptOptions.of(provider, settings.llm_items, settings.llm_item_characters),
    )
    renewal = Renewal(
        new_share=settings.llm_new_share,
        new_distance=settings.llm_new_distance,
        again_days=settings.llm_again_days,
        long_tail_days=settings.llm_again_long_tail_days,
        active_days=settings.semi_active_days,
    )
    return Describe(options, renewal, questions_at_once(settings, provider))


def body_stage(settings: Settings) -> Body:
    """The stage that measures proportions. Raises ConfigError for missing models or a wrong vocabulary."""
    options = BodyOptions(" ".join(installed(settings.workspace / "models")))
    return Body(options, tags.load(settings.workspace).categories.values())


def insights_stage(settings: Settings) -> Insights:
    """The stage that reads conversations, with the language model of the settings if there is one."""
    provider = provider_of(settings)
    if provider is None:
        return Insights()
    reader = Reader(provider.name, provider.model, always=settings.llm == "always")
    return Insights(None, reader, questions_at_once(settings, provider))


def run_stages(session: Session, names: Sequence[str] = (), *, force: bool = False) -> None:
    """Bring the named stages up to date, all of them if none is named; ``force`` does their items again.

    Raises UsageError for a name that is none of ``NAMES``, and ConfigError for a language model that cannot be asked,
    before anything is run. What stopped the asking of one is the session's ``trouble``.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"there is no stage {name!r}; there are: {', '.join(NAMES)}")
    if session.shard is not None:
        _check_shard(names)
    if Describe.name in names and provider_of(session.settings) is None:
        raise ConfigError("describe asks a language model and none is named: --provider, or provider in igtool.toml")
    if Body.name in names and not session.settings.body_measurements:
        raise ConfigError(
            "body measures proportions of creators who agreed to it (docs/ethics.md) and is off: "
            "body_measurements = true in igtool.toml turns it on"
        )
    if not names or {Describe.name, Insights.name} & set(names):
        session.asker  # noqa: B018 - a key or model that is missing is told before hours of other work
    if (session.settings.pictures and not names) or {ImageVerdicts.name, Tag.name} & set(names):
        session.picture_asker  # noqa: B018 - so is a model that pictures may not be shown
    run_passes(session, session.runner(), names, force=force)
    session.stop_if_asked("the stages")
    if not names or "index" in names:
        update_index(session, force=force)
    if not names or "export" in names:
        _export(session)
    session.lake.upkeep()


def _check_shard(names: Sequence[str]) -> None:
    """Raises UsageError unless stages are named that work on each item by itself."""
    parts = [stage.name for stage in _STAGES if issubclass(stage, BatchStage)]
    whole = [name for name in names if name not in parts]
    if whole or not names:
        raise UsageError(
            f"--shard goes with stages that are named and work on each item by itself ({', '.join(parts)})"
            + (f", and {whole[0]} works on everything" if whole else "")
        )


def run_passes(session: Session, runner: Runner, names: Sequence[str] = (), *, force: bool = False) -> None:
    """Bring the named stages up to date, all of them if none is named. Where a model cannot be asked, that is left."""
    done: set[str] = set()
    _tell_what_is_missing(session, names)
    for stages in passes_of(session.settings, names):
        for stage in in_order(stages):
            runner.run([stage], force=force and stage.name not in done)
            done.add(stage.name)


def _tell_what_is_missing(session: Session, names: Sequence[str]) -> None:
    """Say what the settings turn on and this machine cannot do."""
    settings = session.settings
    is_taking = Images.name in names or (settings.pictures and not names)
    if is_taking and settings.picture_stills and not keyframes.is_installed():
        session.told(f"images: of reels thumbnails are taken; {keyframes.NEEDED}")
    is_measuring = settings.body_measurements and (not names or Body.name in names)
    if is_measuring and not has_age_check(settings.workspace / "models"):
        session.told(
            "body: nobody is measured, since no estimator of age says that nobody in a picture is under age "
            "(`igtool models add FILE --kind age`)"
        )


def _export(session: Session) -> None:
    settings = session.settings
    export_tables(session.lake, session.journal, settings.data / "export", with_emails=settings.export_emails)


def update_index(session: Session, *, force: bool = False) -> None:
    """Build the search index if a table it shows changed since it was built."""
    counts = session.progress.of("index")
    folder = session.settings.data / "index"
    creators = session.lake.value("select count(*) from creators")
    if not force and is_fresh(session.lake, folder):
        counts.skipped = creators
        return
    had_one = current_name(folder) is not None
    with session.progress.stage("index", creators):
        built = renew_index(session.lake, folder, label=session.progress.run_id, force=force)
        session.progress.advance(creators)
    written = creators if built.renewed is None else built.renewed
    counts.skipped = creators - written
    if had_one:
        counts.updated = written
    else:
        counts.new = written


def export_now(settings: Settings, stopping: Callable[[], bool]) -> list[Path]:
    """Bring the Parquet files in ``data/export`` up to date; all of them, written now or before."""
    folder = settings.data / "export"
    with open_session(settings, "export", stopping) as session:
        _export(session)
    return [folder / f"{name}.parquet" for name in EXPORTED]
