"""From a budget to a plan in steps, and the learning rate at each."""

from __future__ import annotations

import pytest

from tokexp.config import BudgetConfig, InputError, TrainConfig
from tokexp.training.budget import TrainPlan, describe_budget, plan_training

FACTS = {"tokens_per_step": 100, "train_tokens": 2_000, "train_bytes": 6_000, "flops_per_token": 7}


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (BudgetConfig(steps=17), 17),
        (BudgetConfig(epochs=1.5), 30),
        (BudgetConfig(bytes=9_000), 30),
        (BudgetConfig(flops=21_000), 30),
        (BudgetConfig(bytes=1), 1),
    ],
)
def test_every_budget_becomes_steps(budget: BudgetConfig, steps: int) -> None:
    assert plan_training(budget, TrainConfig(), **FACTS).steps == steps


def test_warm_up_is_a_share_of_the_run() -> None:
    for steps, warmup in ((8000, 400), (264, 13), (106, 5), (19, 0)):
        assert plan_training(BudgetConfig(steps=steps), TrainConfig(), **FACTS).warmup_steps == warmup


def test_warm_up_asked_for_is_at_most_a_tenth() -> None:
    cfg = TrainConfig(warmup_steps=100)
    assert plan_training(BudgetConfig(steps=500), cfg, **FACTS).warmup_steps == 50
    assert plan_training(BudgetConfig(steps=5), cfg, **FACTS).warmup_steps == 0
    assert plan_training(BudgetConfig(steps=8000), cfg, **FACTS).warmup_steps == 100


def test_schedule_of_the_seed_experiment() -> None:
    plan = TrainPlan(steps=8000, warmup_steps=800, lr=3e-4, min_lr=3e-5, schedule="cosine")
    assert plan.lr_at(1) == pytest.approx(3e-4 / 800)
    assert plan.lr_at(800) == pytest.approx(3e-4)
    assert plan.lr_at(4400) == pytest.approx((3e-4 + 3e-5) / 2)
    assert plan.lr_at(8000) == pytest.approx(3e-5)
    constant = TrainPlan(steps=10, warmup_steps=1, lr=1.0, min_lr=0.1, schedule="constant")
    assert {constant.lr_at(s) for s in range(1, 11)} == {1.0}


def test_budget_says_what_is_held_equal() -> None:
    assert describe_budget(BudgetConfig(steps=600)) == "steps=600"
    assert describe_budget(BudgetConfig(flops=5e12)) == "flops=5e+12"
    with pytest.raises(InputError, match="exactly one of steps, bytes, flops, epochs"):
        BudgetConfig(steps=1, bytes=1)
