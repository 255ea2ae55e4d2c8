"""The transformer over columns: a probability in every order, read place by place as it is read at once."""

from itertools import permutations, product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cuvee.nets.columns import Codes  # noqa: E402
from cuvee.nets.reading import Reader, draw_column  # noqa: E402
from cuvee.nets.transformer import ColumnTransformer  # noqa: E402

SIZES = (2, 3, 8)


def network(seed: int = 0) -> ColumnTransformer:
    """A network of three columns, the last with an order, whose weights are far from those it starts with."""
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    columns = [Codes(rng.dirichlet(np.ones(m) * 3), m == 8, int(m == 8), 1_000) for m in SIZES]
    net = ColumnTransformer(columns, width=16, depth=2, heads=2, rank=8, generator=generator)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return net.eval()


def every_row() -> torch.Tensor:
    return torch.tensor(list(product(*(range(m) for m in SIZES))))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_probabilities_of_all_rows_sum_to_1_in_every_order(order: tuple[int, ...]) -> None:
    rows = every_row()
    with torch.no_grad():
        parts = network().log_prob(rows, torch.tensor(order).expand(len(rows), -1))
    assert float(parts.sum(1).exp().sum()) == pytest.approx(1, abs=1e-5)
    # What stands later says nothing: the first column's part is its margin.
    first = parts[:, order[0]]
    for code in range(SIZES[order[0]]):
        mine = first[rows[:, order[0]] == code]
        assert float(mine.max() - mine.min()) < 1e-5
    assert float(parts[:, order[2]].std()) > 0.01


def test_reading_place_by_place_is_reading_at_once() -> None:
    net, rng = network(), np.random.default_rng(0)
    rows = every_row()
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(3), (len(rows), 1)), axis=1))
    with torch.inference_mode():
        whole = net(rows, order)
        reader = Reader(net, len(rows), 3)
        for place in range(3):
            column = order[:, place]
            seen = reader.ask(column)
            torch.testing.assert_close(seen, whole[torch.arange(len(rows)), column], atol=1e-5, rtol=1e-4)
            reader.tell(rows[torch.arange(len(rows)), column])


def test_codes_are_drawn_with_their_probabilities_among_those_allowed() -> None:
    net, rng, n = network(), np.random.default_rng(1), 40_000
    with torch.inference_mode():
        known = Reader(net, 1, 3).ask(torch.tensor([2])).expand(n, -1)
        chances = net.chances[2](known[:1]).softmax(1)[0].numpy().astype(np.float64)
        shares = np.array([1, 0, 0.5, 1, 0, 0, 0.25, 0], np.float32)
        codes, chance = draw_column(
            net, 2, known, torch.from_numpy(rng.random(n, dtype=np.float32)), torch.from_numpy(shares).expand(n, -1)
        )
        ends, _ = draw_column(
            net, 2, known[:2], torch.tensor([0.0, 1 - 2**-24]), torch.from_numpy(shares).expand(2, -1)
        )
    wanted = chances * shares
    np.testing.assert_allclose(chance.numpy(), np.log(wanted.sum()), atol=1e-5)
    found = np.bincount(codes.numpy(), minlength=8) / n
    assert (found[shares == 0] == 0).all()
    # Standard error of a share of 40,000 draws: at most 0.0025; four of them.
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=0.01)
    assert ends.tolist() == [0, 6]
