"""The verbs: the same words in Python, in a recipe, on the command line and on the page.

Each turns names into specs through the registry and calls the room that does the work; nothing is decided here.
"""

from cuvee.verbs.choose import able, source
from cuvee.verbs.data import Split, blend, inspect, load, mix, read, split, write
from cuvee.verbs.model import evaluate, fit, impute, sample
from cuvee.verbs.simulate import simulate

__all__ = [
    "Split", "able", "blend", "evaluate", "fit", "impute", "inspect", "load", "mix", "read", "sample",
    "simulate", "source", "split", "write",
]  # fmt: skip
