"""The three questions that a report answers first, in words with their rule, not in colours alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cuvee.core import Score, Scores
from cuvee.reporting.words import listed

State = Literal["pass", "part", "fail", "none"]

RULE = (
    "Each figure is judged against what independent columns reach (the floor) and what untouched real rows reach (the "
    "ceiling). Yes: every figure that was assessed is fine. In part: some are not, or are at least half way to real "
    "rows. No: none is. For safety a single figure that is not fine is a warning. Not assessed: something was missing "
    "that the judgement needs. Withheld: what was planted into fresh real rows was not seen, so the figures can't be "
    "trusted on this data."
)

METRICS = {
    "shape": ("Shape", "How well each column by itself agrees with the real one"),
    "pairs": ("Pairs", "How well each pair of columns goes together as in the real rows"),
    "triples": ("Triples", "How well each three columns go together as in the real rows"),
    "tails": ("Tails", "Whether as many rows lie beyond the outer quantiles as of the real rows"),
    "rounding": ("Repeated values", "Whether as many rows lie on the commonest values as of the real rows"),
    "rare": ("Rare categories", "Whether rare categories are as frequent as in the real rows, and none is invented"),
    "detection": ("Detection", "How well a classifier tells synthetic rows from real ones"),
    "slices": ("Slices", "The group of rows, in words, whose share differs most from the real one"),
    "groups": ("Groups", "How well columns agree with the real ones within each group of rows"),
    "utility": ("Utility", "How well a model trained on synthetic rows predicts real ones"),
    "targets": (
        "Further targets",
        "What synthetic rows teach of several columns, as a share of what real rows teach, with two kinds of models",
    ),
    "importance": ("Importance", "How much of the importance of columns to a model is the same"),
    "coefficients": ("Coefficients", "How much the intervals of regression coefficients overlap"),
    "queries": ("Your queries", "The share of figures that your own queries and regressions give alike"),
    "exact_copies": ("Exact copies", "Synthetic rows that equal a row the model saw"),
    "near_copies": (
        "Near copies",
        "Synthetic rows closer to a row the model saw than chance allows",
    ),
    "dcr_share": ("DCR share", "Synthetic rows whose nearest real row is one that the model saw; half is chance"),
    "membership": ("Membership", "Rows the model saw that an attacker names, wrong on 1 % of other real rows"),
    "membership_rare": ("Membership, isolated", "The same among the rows that lie far from all others"),
    "attributes": ("Attributes", "How much better values of rows the model saw can be guessed than of other rows"),
    "linkage": ("Linkage", "Rows the model saw that a few known values lead to"),
    "outliers": ("Outliers", "Isolated rows the model saw that have a synthetic row too near"),
}

HALF_WAY = 50
"""A figure that falls short counts in part where it is at least this far from the floor (0) to real rows (100)."""

_QUESTIONS: tuple[tuple[Literal["fidelity", "utility", "privacy"], str, dict[State, tuple[str, str]]], ...] = (
    (
        "fidelity",
        "Is it like the real data?",
        {
            "pass": ("Yes", "The synthetic rows are like the real ones in every way that was measured."),
            "part": ("In part", "The synthetic rows are like the real ones in part; {failed} fell short."),
            "fail": ("No", "The synthetic rows are not like the real ones: {failed} fell short."),
            "none": ("Not assessed", "{missing}"),
        },
    ),
    (
        "utility",
        "Is it useful?",
        {
            "pass": ("Yes", "What a model learns from the synthetic rows holds for real rows."),
            "part": ("In part", "A model can learn from the synthetic rows, but not everything: {failed} fell short."),
            "fail": ("No", "What a model learns from the synthetic rows does not hold for real rows."),
            "none": ("Not assessed", "{missing}"),
        },
    ),
    (
        "privacy",
        "Is it safe?",
        {
            "pass": (
                "No leak found",
                "Nothing suggests that real rows were copied. A test that finds nothing is not a proof.",
            ),
            "part": ("Warning", "The synthetic rows may give real rows away: look at {failed} before you share them."),
            "fail": ("Warning", "The synthetic rows may give real rows away: look at {failed} before you share them."),
            "none": ("Not assessed", "{missing}"),
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One question, answered.

    Attributes:
        family: What it speaks of.
        question: The question.
        state: `pass`, `part`, `fail` or `none` (not assessed).
        word: The answer in a word or two.
        sentence: The answer in a sentence.
        because: Metric and what it found, one each.
    """

    family: str
    question: str
    state: State
    word: str
    sentence: str
    because: tuple[tuple[str, str], ...]

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "family": self.family,
            "question": self.question,
            "state": self.state,
            "word": self.word,
            "sentence": self.sentence,
            "because": [{"metric": m, "sentence": s} for m, s in self.because],
        }


def answers(scores: Scores) -> tuple[Answer, ...]:
    """The three answers that the scores support."""
    return tuple(_answer(scores, family, question, words) for family, question, words in _QUESTIONS)


def title(metric: str) -> str:
    """A metric's name for a reader."""
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ").capitalize()


def _answer(scores: Scores, family: str, question: str, words: dict[State, tuple[str, str]]) -> Answer:
    own = [s for s in scores.scores if s.family == family]
    because = tuple((title(s.name), s.verdict) for s in own)
    blind = [c for c in scores.checks if c.family == family and c.name != "nothing" and c.seen is False]
    if blind:
        said = f"The figures did not see what was planted into this data, so they can't judge it. {blind[0].says}"
        return Answer(family, question, "none", "Withheld", said, because)
    state = _state(own)
    failed = listed([title(s.name).lower() for s in own if s.passed is False])
    word, sentence = words[state]
    return Answer(
        family, question, state, word, sentence.format(failed=failed, missing=_missing(scores, family)), because
    )


def _state(own: Sequence[Score]) -> State:
    judged = [s.passed for s in own if s.passed is not None]
    if not judged:
        return "none"
    near = any((s.anchored or 0) >= HALF_WAY for s in own)
    return "pass" if all(judged) else "part" if any(judged) or near else "fail"


def _missing(scores: Scores, family: str) -> str:
    """What the judgement lacks."""
    if not scores.rows.get("holdout"):
        return "This needs real rows that the model never saw. Set some aside before fitting (holdout)."
    if family == "utility" and scores.predict is None:
        return "This needs a column to predict (predict)."
    return "No figure of this kind was judged."
