"""What a distribution of a scenario is. Parameters have the field's names; each class says which form it is."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict
from pydantic_core import PydanticCustomError

from cuvee.core import Spec

Floats = NDArray[np.float64]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Strict(), Field(ge=0, le=1)]


def unless(holds: object, wanted: str) -> None:
    """Refuse parameters that do not go together."""
    if not holds:
        raise PydanticCustomError("wanted", "{wanted}", {"wanted": wanted})


class Distribution(Spec, ABC):
    """A distribution of one variable."""

    text: ClassVar[bool] = False
    """Whether its values are text."""

    @abstractmethod
    def law(self) -> Any:
        """The frozen distribution of scipy.stats."""

    def quantile(self, u: Floats) -> NDArray[Any]:
        """The values at these ranks, of the same shape."""
        return np.asarray(self.law().ppf(u), np.float64)

    def expectation(self) -> float | None:
        """The mean, or None where there is none."""
        found = float(self.law().mean())
        return found if np.isfinite(found) else None
