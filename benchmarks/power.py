"""How surely the metrics see planted faults, and how often they raise an alarm without any.

    python benchmarks/power.py --part privacy [--runs 100] [...]

The other options are those of benchmarks/power_PART.py.
"""

import argparse
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["privacy", "fidelity"], required=True)
    asked, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0], *rest]
    runpy.run_path(str(Path(__file__).with_name(f"power_{asked.part}.py")), run_name="__main__")
