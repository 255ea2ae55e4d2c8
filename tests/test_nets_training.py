"""The one training loop: what it learns, when it ends, and that it gives the same bytes however it got there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cuvee.core import Event  # noqa: E402
from cuvee.data.errors import ModelError  # noqa: E402
from cuvee.nets import run  # noqa: E402
from cuvee.nets.columns import Linear  # noqa: E402
from cuvee.nets.device import device_of, threads  # noqa: E402
from cuvee.nets.plan import History, Learner, Schedule  # noqa: E402
from cuvee.nets.seed import generator_of  # noqa: E402
from cuvee.nets.training import part, train, train_all  # noqa: E402

N = 600
Spoil = Callable[[int, torch.Tensor], torch.Tensor]


def as_it_is(calls: int, loss: torch.Tensor) -> torch.Tensor:
    return loss


def lesson(schedule: Schedule, *, spoil: Spoil = as_it_is, **more: object) -> tuple[History, torch.Tensor, Linear]:
    """Learn y = 2 a - b with noise; the history, the weights, and the network."""
    generator = generator_of(np.random.default_rng(0))
    x = torch.randn(N, 2, generator=generator)
    y = x @ torch.tensor([2.0, -1.0])
    net, calls = Linear(2, 1, generator=generator), 0

    def loss(rows: torch.Tensor, own: torch.Generator) -> torch.Tensor:
        nonlocal calls
        calls += 1
        noise = 0.1 * torch.randn(len(rows), generator=own)
        return spoil(calls, (net(x[rows])[:, 0] - y[rows] + noise) ** 2)

    rows, held = part(N, 0.2, least=20, generator=generator)
    history = train(net, loss, rows, held, schedule, generator=generator, **more)  # pyright: ignore[reportArgumentType]
    return history, torch.cat([p.detach().flatten() for p in net.parameters()]), net


def test_a_linear_truth_is_learned_and_told() -> None:
    history, weights, _ = lesson(Schedule(30, batch=32, rate=0.05))
    assert torch.allclose(weights, torch.tensor([2.0, -1.0, 0.0]), atol=0.03)
    frame = history.frame()
    assert frame.columns == ["epoch", "train", "held", "rate", "seconds", "kept"]
    assert frame.height == len(history.held) <= 30
    assert frame["kept"].sum() == 1
    assert frame["held"].min() == frame.filter("kept")["held"].item()
    assert frame["rate"].max() <= 0.05


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads() -> None:
    one = lesson(Schedule(3, batch=32))
    with threads(1):
        other = lesson(Schedule(3, batch=32))
        assert torch.get_num_threads() == 1
    assert torch.equal(one[1], other[1])
    assert one[0].held == other[0].held


def test_going_on_from_a_checkpoint_gives_the_bytes_of_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SAVED", 0.0)
    whole, weights, _ = lesson(Schedule(6, batch=32))
    file = tmp_path / "training.safetensors"

    def stop(calls: int, loss: torch.Tensor) -> torch.Tensor:
        if calls == 60:
            raise KeyboardInterrupt
        return loss

    cut, half, _ = lesson(Schedule(6, batch=32), spoil=stop, checkpoint=file)
    assert cut.ended == "interrupted"
    assert 0 < len(cut.held) < 6
    assert file.exists()
    assert not torch.equal(half, weights)
    again, same, _ = lesson(Schedule(6, batch=32), checkpoint=file)
    assert torch.equal(same, weights)
    assert again.held == whole.held
    assert again.losses == whole.losses
    assert not file.exists()


def test_a_checkpoint_of_another_training_is_not_gone_on_from(tmp_path: Path) -> None:
    file = tmp_path / "training.safetensors"
    file.write_bytes(b"something else")
    with pytest.raises(ModelError, match="is not the checkpoint of a training"):
        lesson(Schedule(2), checkpoint=file)
    assert file.read_bytes() == b"something else"


def test_an_interruption_keeps_the_best_weights_so_far() -> None:
    def stop(calls: int, loss: torch.Tensor) -> torch.Tensor:
        if calls == 400:
            raise KeyboardInterrupt
        return loss

    history, weights, _ = lesson(Schedule(1000, batch=32, rate=0.05, patience=1000), spoil=stop)
    assert history.ended == "interrupted"
    assert torch.allclose(weights, torch.tensor([2.0, -1.0, 0.0]), atol=0.1)


def test_a_loss_that_is_no_number_is_mended_once_and_told_at_last() -> None:
    def once(calls: int, loss: torch.Tensor) -> torch.Tensor:
        return loss * float("nan") if calls == 50 else loss

    history, weights, _ = lesson(Schedule(30, batch=32, rate=0.05), spoil=once)
    assert torch.allclose(weights, torch.tensor([2.0, -1.0, 0.0]), atol=0.1)
    assert len(history.notes) == 1
    assert max(history.rates[5:]) <= 0.025

    def always(calls: int, loss: torch.Tensor) -> torch.Tensor:
        return loss * float("nan")

    with pytest.raises(ModelError, match="was no number after"):
        lesson(Schedule(30, batch=32), spoil=always)


def test_held_out_rows_end_it_and_the_best_weights_stay() -> None:
    generator = generator_of(np.random.default_rng(1))
    net, scores = Linear(1, 1, generator=generator), iter([3.0, 2.0, 2.5, 2.6, 2.7, 2.8, 2.9])
    seen: list[torch.Tensor] = []

    def loss(rows: torch.Tensor, own: torch.Generator) -> torch.Tensor:
        return (net(torch.ones(len(rows), 1))[:, 0] - 5) ** 2

    def score(own: torch.Generator) -> float:
        seen.append(net.weight.detach().clone())
        return next(scores)

    schedule = Schedule(50, batch=8, patience=3, rate=0.1)
    history = train_all([Learner(net, loss)], torch.arange(32), schedule, score=score, generator=generator)
    assert (history.ended, history.best, len(history.held)) == ("patience", 1, 5)
    assert torch.equal(net.weight.detach(), seen[1])


def test_time_ends_it_and_progress_is_told() -> None:
    events: list[Event] = []
    history, _, _ = lesson(Schedule(1_000_000, batch=32, seconds=0.3), watch=events.append)
    assert history.ended == "time"
    assert all(e.step == "train" and e.done <= e.total for e in events)
    assert "held out" in events[-1].note


def test_two_learners_move_only_their_own_weights() -> None:
    """A game with a known end: one learns the sign that hurts the other most, and its steps are every second one."""
    generator = generator_of(np.random.default_rng(2))
    one, other = (nn.Parameter(torch.ones(1)) for _ in range(2))
    holders = nn.ParameterList([one]), nn.ParameterList([other])
    moved: list[tuple[float, float]] = []

    def first(rows: torch.Tensor, own: torch.Generator) -> torch.Tensor:
        moved.append((one.item(), other.item()))
        return (one * other.detach() - 3 + 0 * other) ** 2

    def second(rows: torch.Tensor, own: torch.Generator) -> torch.Tensor:
        return (other - 1 + 0 * one) ** 2

    learners = [Learner(holders[0], first, "one"), Learner(holders[1], second, "other", every=2)]
    schedule = Schedule(200, batch=4, rate=0.05, decay=0.0, average=0.9)
    history = train_all(learners, torch.arange(8), schedule, generator=generator)
    assert list(history.losses) == ["one", "other"]
    assert one.item() == pytest.approx(3, abs=0.1)
    assert other.item() == pytest.approx(1, abs=0.01)


def test_a_device_that_is_not_there_is_a_sentence() -> None:
    assert device_of("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert device_of("auto").type == "cpu"
        with pytest.raises(ModelError, match="there is none that torch can use"):
            device_of("cuda")
