"""Language models: the options of every command that asks one, and ``igtool llm``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.console import print_json, print_rows, say
from igtool.errors import UsageError
from igtool.text import harmless

if TYPE_CHECKING:
    from igtool.asking import Tally

MODEL = (
    click.option("--provider", help="Who is asked: openai, grok, ollama, gemini, local; none: nobody."),
    click.option("--model", help="Which model, as its provider names it [CHAT_MODEL]."),
    click.option("--base-url", help="A server of your own that speaks the provider's language."),
    click.option(
        "--llm",
        type=click.Choice(["auto", "always", "never"]),
        help="Ask for niche and style where they are uncertain, always; or ask nothing at all [auto].",
    ),
    click.option("--batch", is_flag=True, help="Use the provider's batches: half the price, within a day."),
)
PICTURES = (
    click.option("--picture-provider", help="Who is asked about uncertain tags of pictures: ollama, local, …; none."),
    click.option("--picture-model", help="Which vision-language model."),
    click.option("--allow-remote", is_flag=True, help="Let pictures leave this machine for a model elsewhere."),
)
MONEY = (click.option("--max-cost", type=click.FloatRange(0), help="US dollars that this run may spend."),)


def model_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that the options of ``MODEL``, ``PICTURES`` and ``MONEY`` set; None where one is not given."""
    provider, model = given.get("provider"), given.get("model")
    return {
        "provider": provider,
        "chat_model": model,
        "gemini_model": model,
        "llm_base_url": given.get("base_url"),
        "llm": "never" if provider == "none" else given.get("llm"),
        "llm_batch": given.get("batch") or None,
        "max_cost_usd": given.get("max_cost"),
        "picture_provider": given.get("picture_provider"),
        "picture_model": given.get("picture_model"),
        "allow_remote": given.get("allow_remote") or None,
    }


def print_tally(tally: Tally) -> None:
    """What asking came to, if anything was asked or found."""
    if tally.asked or tally.cached or tally.postponed:
        say(
            f"language model: {tally.asked} answers for {tally.cost_usd:.4f} US dollars "
            f"({tally.input_tokens} tokens of prompts, {tally.output_tokens} of answers), {tally.cached} were there "
            f"already; {tally.repaired} repairs, {tally.unusable} unusable, {tally.postponed} left for the next run"
        )


@main.group("llm")
def llm_group() -> None:
    """Language models: what asking them would cost, and what they are asked."""


@llm_group.command("estimate", cls=Command)
@click.option("--provider", help="Who would be asked.")
@click.option("--model", help="Which model.")
@click.option("--llm", type=click.Choice(["auto", "always"]), help="Labels where uncertain, or always [auto].")
@click.option("--batch", is_flag=True, help="At the price of batches.")
@JSON
@click.pass_context
def llm_estimate_command(context: click.Context, /, as_json: bool, **given: Any) -> None:
    """Calls, tokens and money for everybody who is to be described; nothing is asked."""
    from igtool.asking.encoding import open_encoder
    from igtool.outlay import outlay

    workspace = workspace_of(context, **model_settings(given))
    with workspace.reader() as lake:
        found = outlay(workspace.settings, lake, open_encoder(workspace.settings))
    if as_json:
        print_json({"command": "llm estimate", **asdict(found)})
        return
    print_rows(found.rows(), title=f"{found.creators} creators, {found.provider} {found.model}")
    say(
        f"prices: {found.prices}; niche and style are asked of {found.labelled_share:.0%}; {found.sampled} prompts read"
    )


@llm_group.command("show", cls=Command)
@click.argument("handle")
@click.option("--provider", help="Who would be asked.")
@click.option("--model", help="Which model.")
@click.option("--llm", type=click.Choice(["auto", "always"]), help="Labels where uncertain, or always [auto].")
@JSON
@click.pass_context
def llm_show_command(context: click.Context, /, handle: str, as_json: bool, **given: Any) -> None:
    """What was sent about a creator with what came back, or what would be sent."""
    from igtool.shown_prompts import shown_prompts

    workspace = workspace_of(context, **model_settings(given))
    found = shown_prompts(workspace, handle)
    if not found:
        raise UsageError(f"{handle} has no text that a language model could be asked about")
    if as_json:
        print_json({"command": "llm show", "rows": found})
        return
    for row in found:
        when = f"sent {row['answered_at']:%Y-%m-%d %H:%M} UTC" if row["answered_at"] else "would be sent"
        say(f"== {row['creator_id']} {row['kind']}: {when} to {row['provider']} {row['model']}")
        for message in row["messages"]:
            click.echo(harmless(f"--- {message['role']}\n{message['content']}"))
        if row["answer"] is not None:
            click.echo(harmless(f"--- answer ({row['outcome']}, {row['cost_usd']:.5f} US dollars)\n{row['answer']}"))
        elif row["schema"]:
            click.echo(f"--- schema of the answer\n{json.dumps(row['schema'])}")
