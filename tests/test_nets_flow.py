"""The flow of numbers and categories: what is given stays, and a field split into both is whole again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from cuvee.nets.columns import Codes  # noqa: E402
from cuvee.nets.device import threads  # noqa: E402
from cuvee.nets.flow import FlowNet, Lesson, Mixed, Start, flow_loss, follow  # noqa: E402
from cuvee.nets.training import Schedule, train  # noqa: E402
from cuvee.synthesis.tabular.coding import Field  # noqa: E402
from cuvee.synthesis.tabular.scores import Scores  # noqa: E402


def network(numbers: int, sizes: tuple[int, ...]) -> FlowNet:
    columns = [Codes(np.full(m, 1 / m), ordered=False, missing=0, rows=1_000) for m in sizes]
    return FlowNet(numbers, columns, width=32, depth=2, own=4, generator=torch.Generator().manual_seed(0))


def noise(n: int, numbers: int, sizes: tuple[int, ...], seed: int) -> Start:
    rng = np.random.default_rng(seed)
    when = (np.argsort(rng.random((n, len(sizes))), axis=1) + rng.random((n, 1))) / max(len(sizes), 1)
    parts = (rng.standard_normal((n, numbers)), when, rng.random((n, len(sizes))))
    start, times, uniforms = (torch.from_numpy(a.astype(np.float32)) for a in parts)
    masked = torch.tensor(sizes, dtype=torch.int64).expand(n, -1)
    return Start(Mixed(start, masked), torch.zeros(n, numbers, dtype=torch.bool), times, uniforms)


def test_a_flow_that_learned_nothing_gives_its_margins() -> None:
    net = network(2, (3, 4))
    with torch.no_grad():
        for layer in (net.velocity, net.odds):
            layer.weight.zero_()
    with torch.inference_mode(), threads(1):
        made = follow(net, noise(10_000, 2, (3, 4), 1), 16)
    # Standard errors of 10,000 rows: 0.01 of a mean, 0.007 of a deviation, 0.005 of a share; five of them.
    assert np.abs(made.numbers.mean(0).numpy()).max() < 0.05
    np.testing.assert_allclose(made.numbers.std(0).numpy(), 1, atol=0.035)
    for f, m in enumerate((3, 4)):
        np.testing.assert_allclose(np.bincount(made.codes[:, f].numpy()) / 10_000, 1 / m, atol=0.025)


def test_what_a_flow_learned_is_made_again_and_given_parts_are_kept() -> None:
    """A coin decides the sign of a number; either may be given, and the other goes with it."""
    rng = np.random.default_rng(0)
    coin = rng.integers(0, 2, 4_000)
    rank = np.where(coin == 1, 0.5 + 0.5 * rng.random(4_000), 0.5 * rng.random(4_000)).astype(np.float32)[:, None]
    ranks = torch.from_numpy(rank)
    sure = torch.ones(4_000, 1, dtype=torch.bool)
    lesson = Lesson(ranks, ranks, sure, torch.from_numpy(coin[:, None]), sure)
    net = network(1, (2,))
    train(
        net,
        lambda rows, generator: flow_loss(net, lesson.rows(rows), aside=0.4, generator=generator),
        torch.arange(4_000),
        torch.zeros(0, dtype=torch.int64),
        Schedule(10, batch=128, rate=4e-3, threads=1),
        generator=torch.Generator().manual_seed(1),
    )
    with torch.inference_mode(), threads(1):
        free = follow(net, noise(4_000, 1, (2,), 2), 12)
        begun = noise(4_000, 1, (2,), 3)
        with_code = follow(
            net, Start(Mixed(begun.rows.numbers, torch.ones(4_000, 1, dtype=torch.int64)), *parts(begun)), 12
        )
        placed = torch.linspace(-2, 2, 4_000)[:, None]
        fixed = Start(
            Mixed(placed, begun.rows.codes), torch.ones(4_000, 1, dtype=torch.bool), begun.when, begun.uniforms
        )
        with_number = follow(net, fixed, 12)
    agree = ((free.numbers > 0) == (free.codes == 1)).float().mean()
    # Shuffled, half would agree; the border itself is never sharp.
    assert float(agree) > 0.85
    assert bool((with_code.codes == 1).all())
    assert float((with_code.numbers > 0).float().mean()) > 0.85
    torch.testing.assert_close(with_number.numbers, placed)
    assert float(((placed > 0) == (with_number.codes == 1)).float().mean()) > 0.85


def parts(start: Start) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return start.given, start.when, start.uniforms


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_field_split_into_category_and_number_is_whole_again(data: st.DataObject) -> None:
    m = data.draw(st.integers(2, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    masses = rng.dirichlet(np.full(m, data.draw(st.sampled_from([0.1, 1.0, 10.0])))) + 1e-6
    masses /= masses.sum()
    interval = rng.random(m) < data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    missing = data.draw(st.integers(0, 1))
    interval[:missing] = False
    ordered = data.draw(st.booleans())
    scores = Scores.of([Field(0, False, masses, ordered, missing, np.where(interval, 2.5, 1.0))])
    codes = rng.integers(0, m, (1, 400)).astype(np.int32)
    within = rng.uniform(0.05, 0.95, codes.shape)
    start, given_numbers, kinds = scores.start(codes, within, np.zeros((400, len(scores.numbers)), np.float32))
    back, places = scores.codes(start, kinds)
    # Ranks beyond a millionth from the ends are cut off, and scores have 7 digits: such cells are too narrow to tell.
    wide = masses[codes[0]] > 1e-4
    assert (back[0] == codes[0])[wide].mean() > 0.99
    assert scores.categories or scores.numbers
    some = wide & interval[codes[0]] & given_numbers.any(axis=1) & (back[0] == codes[0])
    np.testing.assert_allclose(places[0, some], within[0, some], atol=0.05)
