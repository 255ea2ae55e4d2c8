"""Rows of a copula for what is known of them: normal variables in the regions that it leaves, by Gibbs sweeps.

A given value settles its normal variable, a category or a spike leaves it an interval, a condition a union of
intervals; whether a value is missing is another variable. Those of which something is known are swept (Geweke, 1991);
all others are drawn in one step given them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import Placed
from cuvee.core import Method
from cuvee.core.method import MIXED
from cuvee.numeric.chains import pooled
from cuvee.numeric.truncated import Region, draw_within
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.evidence import Evidence

if TYPE_CHECKING:
    from cuvee.synthesis.tabular.copula import CopulaLearned

Floats = NDArray[np.float64]
WATCHED = 400
"""So many rows have a second chain, by which it is told whether chains forget where they began."""
SWEEPS, LONGEST = 16, 128
"""Variables are swept so often at first, and at most."""
WHOLE = Region(np.array([-np.inf]), np.array([np.inf]), np.ones(1))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of one column.

    Attributes:
        value: The normal variable of its value, or -1.
        gate: That which says whether it is missing, or -1.
        key: (n,), which of the regions counts for each row.
        regions: Where the value may lie.
        gone: (regions,), how much of what is missing is allowed.
        point: (n,), the variable where the value settles it, NaN elsewhere.
    """

    value: int
    gate: int
    key: NDArray[np.int64]
    regions: tuple[Region, ...]
    gone: Floats
    point: Floats

    def rows(self, which: NDArray[np.int64]) -> "Known":
        """What is known of some rows."""
        return Known(self.value, self.gate, self.key[which], self.regions, self.gone, self.point[which])

    def tells_value(self) -> bool:
        """Whether something is known of the value, in any row."""
        return bool(np.isfinite(self.point).any()) or any(not r.whole for r in self.regions)

    def tells_gate(self) -> bool:
        """Whether something is known of its being missing, in any row."""
        return bool((self.gone < 1).any()) or any(not r.whole for r in self.regions)

    def draw(self, mean: Floats, deviation: float, open_: NDArray[np.bool_], rng: Generator) -> Floats:
        """The value's variable with these means, (n,), where it may lie; anywhere in the rows that are open."""
        z = mean + deviation * rng.standard_normal(len(mean))
        for k, region in enumerate(self.regions):
            rows = np.flatnonzero((self.key == k) & ~open_)
            if len(rows) and len(region.low) and not region.whole:
                z[rows] = draw_within(region.low, region.high, region.weight, mean[rows], deviation, rng)
        return np.where(np.isfinite(self.point), self.point, z)

    def there(self, z: Floats) -> NDArray[np.bool_]:
        """Whether the variable lies where the value may be, (n,)."""
        fine = np.isfinite(self.point)
        for k, region in enumerate(self.regions):
            rows = self.key == k
            fine[rows] |= region.holds(z[rows]) if len(region.low) else False
        return fine


def draw_given(
    learned: "CopulaLearned", coding: Coding, evidence: Evidence, rng: Generator
) -> tuple[NDArray[np.int32], Floats, Method]:
    """Codes and positions of the fields, (fields, n) each, and what the sweeps say of themselves."""
    n = evidence.rows
    known = {f: _known(learned, coding, evidence, f) for f in range(len(coding.fields))}
    values = {k.value: k for k in known.values() if k.value >= 0 and k.tells_value()}
    gates = _gates(learned, coding, known)
    swept = sorted({*values, *gates})
    latents, method = _latents(learned.correlation, swept, values, gates, n, rng)
    codes = np.zeros((len(coding.fields), n), np.int32)
    inside = np.zeros(codes.shape)
    for f, one in known.items():
        placed = _placed(coding, f, one, latents, rng)
        fixed = evidence.fixed[f] >= 0
        codes[f] = np.where(fixed, evidence.fixed[f], placed.codes)
        inside[f] = placed.within
    return codes, inside, method


def _known(learned: "CopulaLearned", coding: Coding, evidence: Evidence, f: int) -> Known:
    """What evidence says of a field."""
    from scipy.special import ndtri

    field, n = coding.fields[f], evidence.rows
    m = len(field.masses)
    own = {latent.column: j for j, latent in enumerate(learned.latents) if not latent.steps}
    value, gate = own.get(field.column, -1), learned.gates[field.column]
    lines, line = evidence.lines.get(f, (np.ones((1, m), np.float32), np.zeros(n, np.int32)))
    lines = lines * evidence.asked.filled.get(f, np.float32(1))
    # A row in which nothing may be as it is to be filled is left to what else is known.
    fixed = evidence.fixed[f].astype(np.int64)
    seen = np.unique(fixed[fixed >= 0])
    key = np.where(fixed >= 0, len(lines) + np.searchsorted(seen, fixed), line)
    shares = np.concatenate([lines, np.eye(m, dtype=np.float32)[seen]]).astype(np.float64)
    first = field.missing
    absent = float(field.masses[:first].sum())
    gone = shares[:, :first] @ field.masses[:first] / absent if absent else np.ones(len(shares))
    from_ = 0 if gate < 0 else first
    masses = field.masses[from_:]
    regions = tuple(WHOLE if (s[from_:] >= 1).all() else Region.of_shares(masses, s[from_:]) for s in shares)
    point = np.full(n, np.nan)
    exact = (fixed >= from_) & (field.volumes[np.maximum(fixed, 0)] != 1)
    if value >= 0 and exact.any():
        before = np.concatenate([[0.0], np.cumsum(masses)]) / masses.sum()
        cell = fixed[exact] - from_
        u = before[cell] + evidence.within[f, exact] * np.diff(before)[cell]
        point[exact] = ndtri(np.clip(u, 1e-12, 1 - 1e-12))
    return Known(value, gate, key, regions, gone, point)


def _gates(
    learned: "CopulaLearned", coding: Coding, known: Mapping[int, Known]
) -> dict[int, list[tuple[float, Known]]]:
    """For each variable that says what is missing, and of which something is known: each column's share and itself."""
    found: dict[int, list[tuple[float, Known]]] = {}
    for f, one in known.items():
        if one.gate >= 0:
            share = learned.codecs[coding.fields[f].column].missing_share
            found.setdefault(one.gate, []).append((share, one))
    return {g: sorted(parts, key=lambda p: p[0]) for g, parts in found.items() if any(k.tells_gate() for _, k in parts)}


def _latents(
    correlation: Floats,
    swept: list[int],
    values: Mapping[int, Known],
    gates: Mapping[int, list[tuple[float, Known]]],
    n: int,
    rng: Generator,
) -> tuple[Floats, Method]:
    """All normal variables, (latents, n): those of which something is known by sweeps, the others given them."""
    count = len(correlation)
    if not swept:
        factor = np.linalg.cholesky(correlation) if count else np.zeros((0, 0))
        return factor @ rng.standard_normal((count, n)), Method()
    # The second chains begin elsewhere: in another order, from other numbers.
    k = min(n, WATCHED)
    rows = np.concatenate([np.arange(n), np.arange(k)])
    mine = {v: one.rows(rows) for v, one in values.items()}
    theirs = {g: [(s, one.rows(rows)) for s, one in parts] for g, parts in gates.items()}
    inner = correlation[np.ix_(swept, swept)]
    precision = np.linalg.inv(inner)
    z = np.zeros((len(swept), n + k))
    settled = all(np.isfinite(one.point).all() for one in values.values()) and not gates
    seen: list[Floats] = []
    worth, rhat = 1.0, 1.0
    while True:
        for _ in range(1 if settled else max(len(seen), SWEEPS)):
            for i in range(len(swept)) if len(seen) % 2 else reversed(range(len(swept))):
                deviation = float(1 / np.sqrt(precision[i, i]))
                mean = z[i] - (precision[i] @ z) / precision[i, i]
                if not seen:
                    mean[n:] += 0.5 * deviation * rng.standard_normal(k)
                z[i] = _swept(swept, i, mean, deviation, (mine, theirs), z, rng)
            seen.append(np.stack([z[:, :k], z[:, n : n + k]], axis=-1))
        if settled:
            method = Method()
            break
        worth, rhat = pooled(np.stack(seen[len(seen) // 2 :], axis=-1))
        if rhat < MIXED or len(seen) >= LONGEST:
            method = Method("walked", worth, len(seen), 1.0, rhat, "Gibbs")
            break
    rest = [j for j in range(count) if j not in set(swept)]
    across = correlation[np.ix_(rest, swept)] @ precision
    left = correlation[np.ix_(rest, rest)] - across @ correlation[np.ix_(swept, rest)]
    found = np.zeros((count, n))
    found[swept] = z[:, :n]
    if rest:
        values_, vectors = np.linalg.eigh((left + left.T) / 2)
        factor = vectors * np.sqrt(np.maximum(values_, 0))
        found[rest] = across @ z[:, :n] + factor @ rng.standard_normal((len(rest), n))
    return found, method


def _swept(
    swept: list[int],
    i: int,
    mean: Floats,
    deviation: float,
    known: tuple[Mapping[int, Known], Mapping[int, list[tuple[float, Known]]]],
    z: Floats,
    rng: Generator,
) -> Floats:
    """One variable given all others."""
    from scipy.special import ndtri

    values, gates = known
    latent = swept[i]
    if latent in values:
        one = values[latent]
        open_ = np.zeros(len(mean), np.bool_)
        if one.gate in gates:
            share = next(s for s, other in gates[one.gate] if other.value == latent)
            open_ = z[swept.index(one.gate)] < ndtri(share)
        return one.draw(mean, deviation, open_, rng)
    parts = gates[latent]
    ends = ndtri(np.array([0.0, *(s for s, _ in parts), 1.0]))
    weight = np.ones((len(mean), len(parts) + 1))
    for t, (_, one) in enumerate(parts):
        # Below its share a column is missing, above it is there.
        there = one.there(z[swept.index(one.value)]) if one.value in values else _nonempty(one)
        weight[:, : t + 1] *= one.gone[one.key][:, None]
        weight[:, t + 1 :] *= there[:, None]
    return draw_within(ends[:-1], ends[1:], weight, mean, deviation, rng)


def _nonempty(one: Known) -> NDArray[np.bool_]:
    return np.array([len(r.low) > 0 for r in one.regions])[one.key]


def _placed(coding: Coding, f: int, one: Known, latents: Floats, rng: Generator) -> Placed:
    """Places of a field."""
    from scipy.special import ndtr

    from cuvee.synthesis.tabular.copula import join

    field, n = coding.fields[f], latents.shape[1]
    codec = coding.codecs[field.column]
    gate = ndtr(latents[one.gate]) if one.gate >= 0 else None
    if field.gate and gate is not None:
        return Placed((gate >= codec.missing_share).astype(np.int64), rng.random(n))
    z = latents[one.value] if one.value >= 0 else one.draw(np.zeros(n), 1.0, np.zeros(n, np.bool_), rng)
    value = ndtr(z)
    if field.gate:
        return Placed((value >= field.masses[0]).astype(np.int64), rng.random(n))
    return join(codec, value, gate)
