"""Synthesizers of one table against an outside judge, on nine sets, over seeds, with targets.

    python benchmarks/synthesizers.py [--sets adult,default] [--seeds 5] [--synthesizers auto,trees] [--out FILE.json]
        [--merge] [--detector other] [--options '{"orders": 2}'] [--speed 0] [--rows 1000] [--shared FOLDER]

Every set x synthesizer x seed is fitted in a process of its own, after a tiny table has loaded its kernels (cold_s; the
first fit ever, which compiles them, is timed once), and makes as many rows as train has; rows_per_s is measured on
500,000, with the first seed only (with --speed 0 not at all). The judge's figures are those that its command prints.
FILE.jsonl beside FILE.json gets each cell as soon as it is done: with --merge, cells that it has are kept, and only
those missing are made. --merge --seeds 0 makes none and shows what there is.

--detector other also asks a forest, a linear model and a network that see ranks, last digits, differences and ratios.
The sets and the judge are not shipped: CUVEE_SHARED or --shared names the folder that has data/ and judge/.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from outside import GIVEN
from outside.cells import Log, Work
from outside.sets import SETS, Split, missing, shared
from outside.show import show, write

LIMIT = 1800.0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), help="of " + ", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to this less one")
    parser.add_argument("--synthesizers", default="auto")
    parser.add_argument("--options", default="", help="options of the synthesizers, as JSON; part of their name here")
    parser.add_argument("--out", type=Path, help="the summary; the cells go beside it, into a file that ends in .jsonl")
    parser.add_argument("--merge", action="store_true", help="keep the cells that the file has")
    parser.add_argument("--detector", choices=("judge", "other"), default="judge")
    parser.add_argument("--rows", type=int, help="only so many rows of each part of a set")
    parser.add_argument("--speed", type=int, default=500_000, help="rows to measure rows a second on; 0: not at all")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that one cell may take to be made")
    parser.add_argument("--shared", type=Path, default=shared())
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "cuvee-benchmarks")
    return parser.parse_args()


def compiling(command: list[str]) -> float:
    """Seconds of a tiny fit where no kernel has been compiled before."""
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            command, env=GIVEN | {"NUMBA_CACHE_DIR": empty}, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        sys.exit(
            f"Not even a tiny table could be fitted: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    return float(done.stdout)


def main() -> None:
    chosen = arguments()
    sets = chosen.sets.split(",")
    unknown = [s for s in sets if s not in SETS]
    if unknown:
        sys.exit(f"There is no set {unknown[0]!r}; there are {', '.join(SETS)}.")
    why = missing(chosen.shared)
    if why is not None:
        print(why)
        return
    options = json.dumps(json.loads(chosen.options), sort_keys=True) if chosen.options else ""
    names = [f"{s}{options}" for s in chosen.synthesizers.split(",")]
    maker = [sys.executable, str(Path(__file__).parent / "outside" / "made.py")]

    def command(name: str, train: Path, out: Path, seed: int, split: Split) -> list[str]:  # noqa: ARG001 (a peer needs the set)
        speed = chosen.speed if seed == 0 else 0
        told = ["--train", str(train), "--out", str(out), "--seed", str(seed), "--speed", str(speed)]
        return [*maker, *told, *which(name)]

    def which(name: str) -> list[str]:
        return ["--synthesizer", name.removesuffix(options), *(["--options", options] if options else [])]

    log = Log(chosen.out and chosen.out.with_suffix(".jsonl"), merge=chosen.merge)
    other = chosen.detector == "other"
    work = Work(chosen.shared, chosen.cache, log, command, chosen.limit, other=other, rows=chosen.rows)
    for name in (n for n in names if chosen.seeds and n not in log.about):
        log.add({"about": name, "compile_s": compiling([*maker, *which(name)])})
    work.do(sets, names, range(chosen.seeds))
    show(log)
    if chosen.out is not None:
        write(log, chosen.out)


if __name__ == "__main__":
    main()
