"""The contracts of plug-ins, public: certify yours with them.

Each check takes a plug-in, tries it on planted and on bad data, and raises AssertionError with a sentence that says
what the plug-in should have done. The plug-ins of cuvee pass them, and are tested by nothing less:

    from cuvee.testing import check_synthesizer

    def test_mine_keeps_the_contract():
        check_synthesizer(MySynthesizer(depth=3))
"""

from cuvee.testing.constraint import check_constraint
from cuvee.testing.inputs import BadInput, bad_inputs
from cuvee.testing.metric import check_metric
from cuvee.testing.rule import check_rule
from cuvee.testing.source import check_source
from cuvee.testing.synthesizer import check_synthesizer

__all__ = [
    "BadInput",
    "bad_inputs",
    "check_constraint",
    "check_metric",
    "check_rule",
    "check_source",
    "check_synthesizer",
]
