"""Labels without a language model: nearness to prototype sentences, a trained head, and words of the vocabulary.

The kinds of evidence are added as in naive Bayes, then scaled to scores that sum to 1::

    logit(label) = near(label) + CATEGORY_WEIGHT * log P(label's categories) + WORD_WEIGHT * words(label)
    score        = softmax(logit)

``near`` is the label's centred similarity to its prototypes, standardised over the labels of one creator. Cosines of
E5 lie between .75 and .9 whatever the texts (arXiv 2212.03533, temperature .01); taking the common direction away and
standardising leaves what tells the labels apart. Where there is a `head.Head` for the encoder, ``near`` is the mean of
this and of what the head learnt from our own example texts, and the video category that the vectors look like counts
too. ``words`` is in nats-like units, see `WordIndex.evidence`. The weights were chosen on development data, see
docs/benchmarks.md; how often a score is right is in `igtool.calibration`.
"""

from __future__ import annotations

from igtool.zero_shot.head import Head, Scores, load_head, softmax
from igtool.zero_shot.labels import CATEGORY_WEIGHT, WORD_WEIGHT, Prototypes, combine, evidence, prototypes
from igtool.zero_shot.words import BIO_NATS, CATEGORY_NATS, ITEMS_NATS, WordIndex, Words, read_words

__all__ = [
    "BIO_NATS",
    "CATEGORY_NATS",
    "CATEGORY_WEIGHT",
    "ITEMS_NATS",
    "WORD_WEIGHT",
    "Head",
    "Prototypes",
    "Scores",
    "WordIndex",
    "Words",
    "combine",
    "evidence",
    "load_head",
    "prototypes",
    "read_words",
    "softmax",
]
