"""Peers of cuvee's synthesizers, by the same outside judge, on the same sets and seeds.

    python benchmarks/peers.py --install [--peers cart,argn]
    python benchmarks/peers.py [--sets adult,default,shoppers] [--peers cart,argn] [--seeds 1] [--limit 600]
        [--out FILE.json] [--merge] [--rows 1000] [--environments FOLDER] [--shared FOLDER] [--detector other]

Each peer has a virtual environment of its own outside the repository, made by --install, and a driver in
benchmarks/drivers that its own interpreter runs. Columns that number rows are not shown to peers. --limit is told to
those that can be (argn, ctgan, tvae); any that takes twice that and ten minutes more is ended. Cells are kept as
`synthesizers.py` keeps them, so both can go on with one file.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from outside.cells import Log, Work
from outside.sets import SETS, Split, missing, shared
from outside.show import show, write

TORCH = "torch==2.13.0"
"""The version of constraints.txt: where its CPU build is at hand, pip takes that."""


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is installed and run.

    Attributes:
        environment: The name of its environment; peers of one package share it.
        driver: Its driver's file and what the driver is told first.
        requires: What pip installs.
        removes: What has to be taken out again.
    """

    environment: str
    driver: tuple[str, ...]
    requires: tuple[str, ...]
    removes: tuple[str, ...] = ()


SDV = ("sdv==2.0.0", TORCH, "pyarrow")
PEERS = {
    # Declares no dependencies, and calls what pandas 2 no longer has.
    "cart": Peer(
        "cart",
        ("cart.py",),
        ("py-synthpop==0.1.2", "pandas==1.5.3", "numpy<2", "scikit-learn<1.7", "scipy", "pyarrow<20"),
    ),
    # torchvision and torchaudio of another build than torch keep the engine from being imported; it needs neither.
    "argn": Peer("argn", ("argn.py",), ("mostlyai-engine==2.7.3", TORCH, "pyarrow"), ("torchvision", "torchaudio")),
    "arf": Peer("arf", ("arf.py",), ("arfpy==0.1.1", "numpy<2.4", "pandas<3", "pyarrow")),
    "sdv_copula": Peer("sdv", ("sdv_models.py", "copula"), SDV),
    "tvae": Peer("sdv", ("sdv_models.py", "tvae"), SDV),
    "ctgan": Peer("sdv", ("sdv_models.py", "ctgan"), SDV),
    "smotenc": Peer("smotenc", ("smotenc.py",), ("imbalanced-learn==0.14.2", "pandas", "pyarrow")),
}
READY = "cuvee-benchmark-ready.txt"


def interpreter(peer: Peer, environments: Path) -> Path:
    """Its Python."""
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return environments / peer.environment / folder / "python"


def ready(peer: Peer, environments: Path) -> bool:
    """Whether its environment has what it requires."""
    mark = environments / peer.environment / READY
    return mark.exists() and mark.read_text("utf-8").splitlines() == list(peer.requires)


def install(peer: Peer, environments: Path) -> str | None:
    """Make its environment; says what went wrong, or None."""
    if ready(peer, environments):
        return None
    place, python = environments / peer.environment, str(interpreter(peer, environments))
    steps = [[sys.executable, "-m", "venv", str(place)], [python, "-m", "pip", "install", "-q", *peer.requires]]
    if peer.removes:
        steps.append([python, "-m", "pip", "uninstall", "-q", "-y", *peer.removes])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    (place / READY).write_text("\n".join(peer.requires), "utf-8")
    return None


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--install", action="store_true", help="make the environments, and no more")
    parser.add_argument("--sets", default="adult", help="of " + ", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to this less one")
    parser.add_argument("--limit", type=float, default=600, help="seconds of training, where a peer can be told")
    parser.add_argument("--rows", type=int, help="only so many rows of each part of a set")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--merge", action="store_true", help="keep the cells that the file has")
    parser.add_argument("--detector", choices=("judge", "other"), default="judge")
    temporary = Path(tempfile.gettempdir())
    parser.add_argument("--environments", type=Path, default=temporary / "cuvee-peers")
    parser.add_argument("--cache", type=Path, default=temporary / "cuvee-benchmarks")
    parser.add_argument("--shared", type=Path, default=shared())
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    names, sets = chosen.peers.split(","), chosen.sets.split(",")
    for kind, given, known in (("peer", names, PEERS), ("set", sets, SETS)):
        unknown = [g for g in given if g not in known]
        if unknown:
            sys.exit(f"There is no {kind} {unknown[0]!r}; there are {', '.join(known)}.")
    if chosen.install:
        for name in names:
            print(f"{name}: {install(PEERS[name], chosen.environments) or 'ready'}", flush=True)
        return
    why = missing(chosen.shared)
    if why is not None:
        print(why)
        return
    for name in [n for n in names if not ready(PEERS[n], chosen.environments)]:
        print(f"{name}: skipped, it is not installed. Run with --install --peers {name} first.")
        names.remove(name)
    drivers = Path(__file__).parent / "drivers"

    def command(name: str, train: Path, out: Path, seed: int, split: Split) -> list[str]:
        peer = PEERS[name]
        file, *told = peer.driver
        python = str(interpreter(peer, chosen.environments))
        given = {"--train": train, "--out": out, "--seed": seed, "--limit": chosen.limit, "--target": split.target}
        return [python, "-W", "ignore", str(drivers / file), *told, *(str(x) for pair in given.items() for x in pair)]

    log = Log(chosen.out and chosen.out.with_suffix(".jsonl"), merge=chosen.merge)
    other, longest = chosen.detector == "other", 2 * chosen.limit + 600
    work = Work(
        chosen.shared, chosen.cache, log, command, longest, other=other, rows=chosen.rows, ids=False
    )  # a peer would take them for numbers
    work.do(sets, names, range(chosen.seeds))
    show(log)
    if chosen.out is not None:
        write(log, chosen.out)


if __name__ == "__main__":
    main()
