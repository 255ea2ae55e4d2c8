"""Every choice by name, one line each, as strings: nothing is imported until it is chosen.

To add a plug-in, write one file and one line here. Third parties add theirs through the entry point groups
`cuvee.sources`, `cuvee.rules`, `cuvee.synthesizers`, `cuvee.constraints` and `cuvee.metrics`, whose values are
`module:Class`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal

from cuvee.data.errors import CuveeError, MissingExtraError
from cuvee.data.names import did_you_mean

Group = Literal["sources", "rules", "synthesizers", "constraints", "metrics"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice.

    Attributes:
        target: `module:Class`.
        says: What it is, in a line.
        kinds: The kinds of columns or the modality that it handles, for the table of `cuvee models`.
        extra: The extra that it needs, or None.
        endings: The file name endings and URL schemes that mean this source.
    """

    target: str
    says: str
    kinds: str = ""
    extra: str | None = None
    endings: tuple[str, ...] = ()


REGISTRY: Mapping[Group, Mapping[str, Entry]] = {
    "sources": {
        "csv": Entry(
            "cuvee.sources.csv:Csv",
            "text tables; dialect, encoding and header are found out",
            "flat",
            None,
            (".csv", ".tsv", ".psv", ".tab", ".txt"),
        ),
        "parquet": Entry(
            "cuvee.sources.parquet:Parquet",
            "Parquet: a file, a glob, hive partitions",
            "all",
            None,
            (".parquet", ".pq"),
        ),
        "folder": Entry(
            "cuvee.sources.folder:Folder", "a folder of Parquet files, one a table, with schema.yaml", "all"
        ),
        "arrow": Entry(
            "cuvee.sources.arrow:Arrow",
            "Arrow and Feather, file or stream",
            "all",
            None,
            (".arrow", ".feather", ".ipc", ".arrows"),
        ),
        "json": Entry(
            "cuvee.sources.json:Json", "JSON: records, columns, or several tables", "all but bytes", None, (".json",)
        ),
        "jsonl": Entry(
            "cuvee.sources.json:JsonLines",
            "JSON lines: one record a line",
            "all but bytes",
            None,
            (".jsonl", ".ndjson"),
        ),
        "excel": Entry(
            "cuvee.sources.excel:Excel",
            "spreadsheets; every sheet a table",
            "flat",
            "excel",
            (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
        ),
        "npy": Entry("cuvee.sources.npy:Npy", "NumPy arrays", "numbers, text, images", None, (".npy", ".npz")),
        "sqlite": Entry(
            "cuvee.sources.sqlite:Sqlite",
            "a SQLite file; tables or a query",
            "flat",
            None,
            (".sqlite", ".sqlite3", ".db", ".db3"),
        ),
        "duckdb": Entry(
            "cuvee.sources.duckdb:Duckdb", "a DuckDB file; tables or a query", "all", None, (".duckdb", ".ddb")
        ),
        "database": Entry(
            "cuvee.sources.database:Database",
            "a database by its URL (SQLAlchemy); tables or a query",
            "flat, lists",
            "databases",
            (
                "postgresql://",
                "postgres://",
                "mysql://",
                "mariadb://",
                "mssql://",
                "oracle://",
                "sqlite://",
                "snowflake://",
                "bigquery://",
                "redshift://",
                "cockroachdb://",
                "trino://",
                "databricks://",
                "clickhouse://",
            ),
        ),
    },
    "rules": {
        "most_common": Entry("cuvee.blending.rules.most_common:MostCommon", "the value that most records have", "all"),
        "trusted": Entry("cuvee.blending.rules.trusted:Trusted", "the claim of the most trusted source", "all"),
        "newest": Entry(
            "cuvee.blending.rules.newest:Newest", "the claim of the newest record", "all, by a time column"
        ),
        "first": Entry("cuvee.blending.rules.first:First", "the claim that was read first", "all"),
        "longest": Entry("cuvee.blending.rules.longest:Longest", "the longest text", "all but nested"),
        "median": Entry("cuvee.blending.rules.median:Median", "the middle value", "numbers, dates, times"),
    },
    "synthesizers": {
        "auto": Entry(
            "cuvee.synthesis.tabular.auto:Auto", "the one that does best on rows held out", "one table, all kinds"
        ),
        "trees": Entry(
            "cuvee.synthesis.tabular.trees:Trees",
            "boosted trees, column after column, in several orders",
            "one table, all kinds",
        ),
        "circuit": Entry(
            "cuvee.synthesis.tabular.circuit:Circuit",
            "hidden tree of states, exact density, any evidence",
            "one table, all kinds",
        ),
        "bayes_net": Entry(
            "cuvee.synthesis.tabular.bayes_net:BayesNet",
            "Bayesian network: which columns depend on which",
            "one table, all kinds",
        ),
        "mixture": Entry(
            "cuvee.synthesis.tabular.mixture:Mixture",
            "latent classes: shares and Gaussians, all in closed form",
            "one table, all kinds",
        ),
        "transformer": Entry(
            "cuvee.synthesis.tabular.transformer:Transformer",
            "attention over columns in any order",
            "one table, all kinds",
            "deep",
        ),
        "flow": Entry(
            "cuvee.synthesis.tabular.flow:Flow",
            "flow matching for numbers, masks for categories",
            "one table, all kinds",
            "deep",
        ),
        "vae": Entry(
            "cuvee.synthesis.tabular.vae:Vae",
            "an autoencoder, and where its latents lie",
            "one table, all kinds",
            "deep",
        ),
        "gan": Entry(
            "cuvee.synthesis.tabular.gan:Gan", "a generator against a discriminator", "one table, all kinds", "deep"
        ),
        "copula": Entry(
            "cuvee.synthesis.tabular.copula:Copula", "exact margins, correlations, seconds", "one table, all kinds"
        ),
        "bayes": Entry(
            "cuvee.synthesis.tabular.bayes:Bayes",
            "posterior of a copula; copies that carry its uncertainty",
            "one small table, all kinds",
        ),
        "independent": Entry(
            "cuvee.synthesis.tabular.independent:Independent", "each column by itself", "one table, all kinds"
        ),
    },
    "constraints": {
        "holds": Entry("cuvee.synthesis.constraints.holds:Holds", "a condition that no row breaks", "all"),
        "equation": Entry(
            "cuvee.synthesis.constraints.equation:Equation", "arithmetic: total = price * quantity", "numbers"
        ),
        "follows": Entry("cuvee.synthesis.constraints.follows:Follows", "a column that others settle", "all"),
        "fixed": Entry("cuvee.synthesis.constraints.fixed:Fixed", "only combinations that occur", "all"),
        "one_hot": Entry("cuvee.synthesis.constraints.one_hot:OneHot", "exactly one flag is up", "0 and 1"),
        "increasing": Entry(
            "cuvee.synthesis.constraints.increasing:Increasing",
            "a chain: ordered <= shipped <= paid",
            "numbers, moments",
        ),
        "range": Entry("cuvee.synthesis.constraints.range:Range", "between two ends", "numbers, moments"),
        "positive": Entry("cuvee.synthesis.constraints.positive:Positive", "above zero", "numbers"),
        "unique": Entry("cuvee.synthesis.constraints.unique:Unique", "a key of one or several columns", "all"),
        "monotone": Entry(
            "cuvee.synthesis.constraints.monotone:Monotone",
            "never falls along an order, in each group",
            "numbers, moments",
        ),
        "missing_together": Entry(
            "cuvee.synthesis.constraints.missing_together:MissingTogether", "missing in the same rows", "all"
        ),
        "matches": Entry("cuvee.synthesis.constraints.matches:Matches", "text that matches a pattern", "text, ids"),
        "predicate": Entry(
            "cuvee.synthesis.constraints.predicate:Predicate", "any SQL expression, or a Python function", "all"
        ),
    },
    "metrics": {
        "shape": Entry("cuvee.evaluation.fidelity.shape:Shape", "each column by itself", "all but ids"),
        "pairs": Entry("cuvee.evaluation.fidelity.pairs:Pairs", "every two columns together", "all but ids"),
        "triples": Entry("cuvee.evaluation.fidelity.triples:Triples", "every three columns together", "all but ids"),
        "margins": Entry(
            "cuvee.evaluation.fidelity.margins:Margins", "tails, repeated values, rare categories", "all but ids"
        ),
        "detection": Entry(
            "cuvee.evaluation.fidelity.detection:Detection", "a learner tells them apart", "all but ids"
        ),
        "slices": Entry("cuvee.evaluation.fidelity.slices:Slices", "the worst groups of rows, in words", "all but ids"),
        "groups": Entry("cuvee.evaluation.fidelity.groups:Groups", "columns within each group", "all but ids"),
        "utility": Entry(
            "cuvee.evaluation.utility.utility:Utility", "train on synthetic, test on real", "needs predict"
        ),
        "targets": Entry(
            "cuvee.evaluation.utility.targets:Targets",
            "several targets, two learners, by which columns",
            "needs a holdout",
        ),
        "coefficients": Entry(
            "cuvee.evaluation.utility.coefficients:Coefficients", "regressions say the same", "needs a holdout"
        ),
        "queries": Entry(
            "cuvee.evaluation.utility.queries:Queries", "your own SQL and regressions give the same", "needs queries"
        ),
        "copies": Entry("cuvee.evaluation.privacy.copies:Copies", "rows that repeat training rows", "needs a holdout"),
        "membership": Entry(
            "cuvee.evaluation.privacy.membership:Membership", "who was learned from can be told", "needs a holdout"
        ),
        "attributes": Entry(
            "cuvee.evaluation.privacy.attributes:Attributes",
            "values of training rows can be guessed",
            "needs a holdout",
        ),
        "linkage": Entry(
            "cuvee.evaluation.privacy.linkage:Linkage", "known values lead to training rows", "needs a holdout"
        ),
        "outliers": Entry(
            "cuvee.evaluation.privacy.outliers:Outliers", "isolated training rows are exposed", "needs a holdout"
        ),
        "usual": Entry("cuvee.evaluation.usual:Usual", "figures of other tools under their usual names", "all but ids"),
    },
}

REPORT = "cuvee.reporting:report"
"""What makes the page of a run. A string, because reports are made of runs and stand above them."""


def entries(group: Group) -> dict[str, Entry]:
    """All choices of a group, third parties' last; a built-in name can't be taken over."""
    others = {
        p.name: Entry(p.value, f"from {p.dist.name}" if p.dist else "") for p in entry_points(group=f"cuvee.{group}")
    }
    return {**others, **REGISTRY[group]}


def find(group: Group, name: str) -> type[Any]:
    """The class of a choice.

    Raises:
        CuveeError: There is no such choice (the nearest name is given), or its extra is not installed.
    """
    choices = entries(group)
    if name not in choices:
        raise CuveeError(f"There is no {group.removesuffix('s')} {name!r}.{did_you_mean(name, choices)}")
    entry = choices[name]
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if entry.extra is None or (error.name or "").startswith("cuvee"):
            raise
        raise MissingExtraError(f"{name!r}", entry.extra) from error


def name_of(group: Group, kind: type[Any]) -> str:
    """The name under which a class is registered."""
    target = f"{kind.__module__}:{kind.__qualname__}"
    for name, entry in entries(group).items():
        if entry.target == target:
            return name
    raise CuveeError(f"{target} is not registered among the {group}.")
