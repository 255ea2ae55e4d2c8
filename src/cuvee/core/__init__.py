"""The plug-in nouns, and the small values that they return.

A plug-in is a frozen pydantic model (a `Spec`: what the user chose, written the same in Python, in a recipe and on the
command line) with one method that does the work. Each class here is abstract, and every plug-in is final.
"""

from cuvee.core.asked import Asked, as_asked, draw_asked
from cuvee.core.durations import seconds_of
from cuvee.core.folder import MANIFEST
from cuvee.core.imputation import How
from cuvee.core.method import Method
from cuvee.core.model import ARRAYS, FORMAT, VERSION, Model
from cuvee.core.plugins import (
    Arrays,
    Constraint,
    Edge,
    Event,
    Learned,
    Proof,
    Rule,
    Source,
    Spec,
    Stream,
    Synthesizer,
    Watch,
    silent,
)
from cuvee.core.sampling import BLOCK, block_count, cores, in_order, thread_count
from cuvee.core.scores import Check, Family, Metric, Score, Scores, Trial

__all__ = [
    "ARRAYS", "BLOCK", "FORMAT", "MANIFEST", "VERSION", "Arrays", "Asked", "Check", "Constraint", "Edge", "Event",
    "Family", "How", "Learned", "Method", "Metric", "Model", "Proof", "Rule", "Score", "Scores", "Source", "Spec",
    "Stream", "Synthesizer", "Trial", "Watch", "as_asked", "block_count", "cores", "draw_asked", "in_order",
    "seconds_of", "silent", "thread_count",
]  # fmt: skip
