"""What the benchmarks of synthesizers share: the sets, the outside judge, the cells of a run and how they are shown.

The judge's LightGBM waits in busy loops for its threads: on a machine that does other work too it then takes ten times
as long. Waiting is made passive here, before any library that reads this is loaded; figures stay the same to the digit.
"""

import os

GIVEN = dict(os.environ)
"""The environment as it was given: what is timed runs in that."""
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
