"""How near vectors are to the labels of the vocabulary, and what that and words make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors, unit
from igtool.vocabulary import Label
from igtool.zero_shot.head import Head, Linear, Scores, softmax, standardised

CATEGORY_WEIGHT = 1.0
WORD_WEIGHT = 1.0


@dataclass(frozen=True)
class Prototypes:
    """The prototype vectors of a set of labels, centred, and the head that knows these labels, if there is one."""

    slugs: tuple[str, ...]
    vectors: Vectors
    """Shape (labels, dimension), unit length."""
    centre: Vectors
    """The mean direction that was taken away, shape (dimension,)."""
    head: Head | None = None

    def z_scores(self, vectors: Vectors) -> Scores:
        """Standardised similarity of each vector to each label, shape (len(vectors), labels).

        Mean 0 and standard deviation 1 along labels; without the head.
        """
        toward = Linear(np.zeros(1), self.vectors.T.astype(np.float64))
        return standardised(toward(unit(vectors - self.centre)))


def prototypes(
    labels: Mapping[str, Label], background: Sequence[str], encoder: Encoder, head: Head | None = None
) -> Prototypes:
    """Each label as the mean of its sentences and its names, encoded as queries for documents.

    The centre lies halfway between the mean label and the mean background sentence: what any profile text has in
    common, and what all labels have in common.
    """
    sentences = [(*label.prototypes, f"{label.label}. {label.label_es}.") for label in labels.values()]
    encoded = encoder.encode([text for texts in sentences for text in texts], is_query=True)
    owners = np.repeat(np.arange(len(labels)), [len(texts) for texts in sentences])
    means = np.stack([encoded[owners == row].mean(axis=0) for row in range(len(labels))])
    common = [means.mean(axis=0)]
    if background:
        common.append(encoder.encode(background).mean(axis=0))
    centre = np.mean(common, axis=0).astype(np.float32)
    return Prototypes(tuple(labels), unit(means - centre), centre, head)


def evidence(labels: Prototypes, vectors: Vectors, owners: Any, is_content: Any, rows: int) -> list[Scores | None]:
    """What vectors say of the labels for each of ``rows`` creators, shape (labels,); None without a vector.

    ``owners`` is the creator of each vector, ``is_content`` whether it stands for items rather than for name and
    biography. Vectors are taken as independent witnesses, so two that agree say more than one: their sum over the
    root of their number (Stouffer's method). A label that the head does not know goes by its prototypes alone.
    """
    near = labels.z_scores(vectors)
    head = labels.head
    places = head.places(labels.slugs) if head else np.array([], dtype=np.int64)
    known = places >= 0
    if head and known.any():
        near[:, known] = (near[:, known] + head.near(vectors)[:, places[known]]) / 2
    total = np.zeros((rows, len(labels.slugs)))
    np.add.at(total, owners, near)
    counts = np.bincount(owners, minlength=rows)
    total /= np.sqrt(np.maximum(counts, 1))[:, None]
    if head and known.any():
        shares = head.category_shares(vectors, owners, is_content, rows)
        chance = np.log((shares @ head.shares[places[known]].T).round(9))
        total += CATEGORY_WEIGHT * chance.mean(axis=1, keepdims=True)
        total[:, known] += CATEGORY_WEIGHT * (chance - chance.mean(axis=1, keepdims=True))
    return [total[row] if counts[row] else None for row in range(rows)]


def combine(near: Scores, words: Scores) -> Scores:
    """Scores of the labels from both kinds of evidence, shape as ``words``."""
    return softmax(near + WORD_WEIGHT * words)
