"""How what was asked of rows was met."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

How = Literal["exact", "searched", "walked", "matched"]
ORDER: tuple[How, ...] = ("exact", "searched", "walked", "matched")
"""From the best to the roughest."""
MIXED = 1.05
"""Chains with a larger R-hat have not forgotten where they began."""


@dataclass(frozen=True, slots=True)
class Method:
    """How what was asked was met.

    Attributes:
        name: "exact" (drawn so), "searched" (drawn, and looked through), "walked" (by a Markov chain for each row,
            whose steps keep what is asked), or "matched" (rows that were drawn are chosen by how near they come).
        effective: What a row was chosen from: the share of candidates where it was drawn, independent draws of its
            chain where it was walked, drawn rows that are near enough where it was matched.
        drawn: Rows drawn for each row returned; steps of a chain.
        accepted: The share of a chain's steps that were taken.
        rhat: R-hat of the chains: 1 where they have forgotten where they began.
        moves: What the steps of chains are.
    """

    name: How = "exact"
    effective: float = 1.0
    drawn: float = 1.0
    accepted: float = 1.0
    rhat: float = 1.0
    moves: Literal["Metropolis", "Gibbs"] = "Metropolis"

    def __str__(self) -> str:
        if self.name == "searched":
            return f"looked for: {self.drawn:,.1f} rows drawn for each one kept"
        if self.name == "walked":
            # A Gibbs move is always accepted.
            taken = "" if self.moves == "Gibbs" else f"{self.accepted:.0%} accepted, "
            said = (
                f"walked there: {self.drawn:,.0f} rounds of {self.moves} moves for each row, {taken}"
                f"worth {self.effective:,.1f} independent draws, R-hat {self.rhat:.3f}"
            )
            return said if self.rhat < MIXED else f"{said}: the chains still lean to where they began"
        if self.name == "matched":
            return (
                f"chosen by nearness, which is approximate: each among the rows drawn by the model, of which "
                f"{self.effective:,.1f} come near enough"
            )
        return f"drawn as asked: candidates were worth {self.effective:.0%} of their number"

    @classmethod
    def of_all(cls, methods: Sequence["Method"]) -> "Method":
        """What stands for several blocks: the roughest of them, by their means."""
        roughest = ORDER[max(ORDER.index(m.name) for m in methods)]
        same = [m for m in methods if m.name == roughest]
        n = len(same)
        return cls(
            roughest,
            sum(m.effective for m in same) / n,
            sum(m.drawn for m in same) / n,
            sum(m.accepted for m in same) / n,
            max(m.rhat for m in same),
            same[0].moves,
        )
