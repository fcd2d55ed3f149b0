"""How much of a training is kept where it cost something of what was known."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the train extra")

import torch

from codehunch_training.retraining.mixing import SHARES, kept_aside, mix, share_to_keep


class Slope:
    """A line through zero; general examples want the slope 1."""

    def __init__(self, slope: float, general: bool = True) -> None:
        self.model: torch.nn.Module = torch.nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.model.weight.fill_(slope)
        self.general = general

    @property
    def slope(self) -> float:
        return float(self.model.weight.detach())

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        # One more, so that a loss of zero does not make every rise endless.
        return 1.0 + torch.nn.functional.mse_loss(self.model(batch["x"]), batch["x"])

    def general_validation(self) -> list[dict[str, torch.Tensor]]:
        return [{"x": torch.ones(4, 1)}] if self.general else []


def kept(learner: Slope, forgetting: float, start: float = 1.0) -> float:
    return share_to_keep(learner, {"weight": torch.tensor([[start]])}, torch.device("cpu"), forgetting)


@pytest.mark.parametrize(
    ("trained", "forgetting", "share"),
    [(1.1, 0.02, 1.0), (2.0, 0.4, 0.6), (2.0, 0.05, 0.2), (2.0, 0.0, 0.2), (1.0, 0.0, 1.0)],
)
def test_the_largest_share_that_forgets_little(trained: float, forgetting: float, share: float) -> None:
    learner = Slope(trained)
    assert kept(learner, forgetting) == share
    assert learner.slope == pytest.approx(1.0 + share * (trained - 1.0))


def test_what_gets_better_everywhere_is_kept_whole() -> None:
    learner = Slope(1.2)
    assert kept(learner, 0.0, start=2.0) == SHARES[0]


def test_without_general_examples_the_training_is_kept() -> None:
    learner = Slope(5.0, general=False)
    assert kept(learner, 0.0) == 1.0
    assert learner.slope == 5.0


def test_numbers_that_are_no_weights_are_those_of_the_training() -> None:
    model = torch.nn.BatchNorm1d(1)
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model(torch.tensor([[1.0], [3.0]]))
    trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mix(model, start, trained, 0.5)
    assert int(model.num_batches_tracked) == 1
    assert float(model.running_mean) == pytest.approx(float(trained["running_mean"]) / 2)


@pytest.mark.parametrize(("count", "aside"), [(0, 0), (3, 0), (4, 1), (64, 16), (10_000, 32)])
def test_how_many_are_kept_aside(count: int, aside: int) -> None:
    assert kept_aside(count) == aside
