"""The chunked loss is the plain one: same value, same gradients, and never all logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tokexp.model.gpt import GPT, GPTConfig
from tokexp.training.loss import NextTokenLoss, chunk_for, chunked_cross_entropy

V, ROWS, T = 97, 3, 13
CHUNKS = [1, 7, 13, 38, 39, 1000]  # of 39 tokens: one at a time, not dividing, dividing, all, more than all


def a_model(dtype: torch.dtype = torch.float64, *, tie: bool = False) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=1, n_head=2, n_embd=16, tie_weights=tie)).to(dtype)
    for parameter in model.parameters():  # far from uniform predictions
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture
def ids() -> Tensor:
    ids = torch.randint(V, (ROWS, T + 1), generator=torch.Generator().manual_seed(1))
    ids[0, 3:6] = 5  # a target that comes again, within a chunk and in others
    return ids


def loss_and_gradients(
    model: GPT, ids: Tensor, chunk: int | None, *, scale: float = 1.0, bf16: bool = False
) -> dict[str, Tensor]:
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = NextTokenLoss(model, chunk)(ids)
    (loss * scale).backward()
    return {"loss": loss.detach(), **{n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}}


def furthest(got: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest distance of a tensor, relative to its norm."""
    assert got.keys() == expected.keys()
    return max(float((got[n].double() - expected[n].double()).norm() / expected[n].double().norm()) for n in got)


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_equals_the_plain_way(ids: Tensor, dtype: torch.dtype, tolerance: float, chunk: int, tie: bool) -> None:
    model = a_model(dtype, tie=tie)
    expected = loss_and_gradients(model, ids, None)
    assert len(expected) == len(list(model.parameters())) + 1
    got = loss_and_gradients(model, ids, chunk)
    assert got["loss"].dtype == dtype
    assert furthest(got, expected) < tolerance


def test_plain_way_is_cross_entropy_of_the_logits(ids: Tensor) -> None:
    model = a_model()
    expected = F.cross_entropy(model(ids[:, :-1]).transpose(1, 2), ids[:, 1:])
    assert torch.allclose(NextTokenLoss(model, None)(ids), expected, rtol=1e-14)


@pytest.mark.parametrize("chunk", [7, 1000])
def test_bf16_is_near_the_plain_way_and_no_further_from_the_truth(ids: Tensor, chunk: int) -> None:
    model = a_model(torch.float32)
    plain = loss_and_gradients(model, ids, None, bf16=True)
    got = loss_and_gradients(model, ids, chunk, bf16=True)
    assert got["loss"].dtype == got["lm_head.weight"].dtype == torch.float32
    assert furthest(got, plain) < 0.02
    truth = loss_and_gradients(model, ids, None)
    assert furthest(got, truth) < 1.5 * furthest(plain, truth)


def test_autocast_leaves_float64_alone(ids: Tensor) -> None:
    model = a_model()
    assert furthest(loss_and_gradients(model, ids, 7, bf16=True), loss_and_gradients(model, ids, None)) < 1e-12


def test_sums_are_float32_under_bf16() -> None:
    """Two hundred chunks that each add little: summed in bf16, the weight's gradient would be off by percents."""
    torch.manual_seed(0)
    x = torch.randn(1000, 8).abs().bfloat16().float()
    targets = torch.zeros(1000, dtype=torch.long)
    gradients = []
    for bf16 in (False, True):
        weight = torch.zeros(5, 8, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            chunked_cross_entropy(x, weight, targets, 5).backward()
        gradients.append(weight.grad)
    assert torch.allclose(gradients[1], gradients[0], rtol=5e-3)


def test_gradcheck() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 3, 1, 2])
    # Only with what arrives being 1, since gradcheck goes backward twice: the rest is tested below.
    assert torch.autograd.gradcheck(
        lambda x, w: chunked_cross_entropy(x, w, targets, 2), (x, weight), check_undefined_grad=False
    )


def test_large_logits_neither_overflow_nor_vanish() -> None:
    x = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0], [0.0]], requires_grad=True)
    targets = torch.tensor([1, 1])
    loss = chunked_cross_entropy(x, weight, targets, 1)
    assert loss.item() == F.cross_entropy(x @ weight.t(), targets).item() == 1e4
    loss.backward()
    assert torch.equal(x.grad, torch.tensor([[1.0], [0.0]]))


@pytest.mark.parametrize("tie", [False, True])
def test_accumulation(ids: Tensor, tie: bool) -> None:
    """Halves whose losses are scaled before `backward` add up to the whole."""
    model = a_model(tie=tie)
    ids = ids[:2]
    expected = loss_and_gradients(model, ids, None)
    model.zero_grad()
    total = 0.0
    for row in ids:
        loss = NextTokenLoss(model, 5)(row[None]) / 2
        loss.backward()
        total += loss.item()
    got = {"loss": torch.tensor(total), **{n: p.grad for n, p in model.named_parameters()}}
    assert furthest(got, expected) < 1e-7  # the total went through a float


@pytest.mark.parametrize("scale", [0.0, 0.25, -3.0])
def test_what_arrives_is_multiplied_in(ids: Tensor, scale: float) -> None:
    model = a_model()
    expected = loss_and_gradients(model, ids, 7)
    got = loss_and_gradients(model, ids, 7, scale=scale)
    assert all(torch.allclose(got[n], scale * expected[n], rtol=1e-12) for n in got if n != "loss")


def test_without_gradients_none_are_computed(ids: Tensor) -> None:
    model = a_model()
    expected = NextTokenLoss(model, None)(ids).item()
    with torch.no_grad(), Largest() as seen:
        loss = NextTokenLoss(model, 4)(ids)
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert seen.calls["aten::scatter_add_"] == 0
    assert seen.calls["aten::mm"] == 10  # a product a chunk: logits alone
    model.requires_grad_(False)
    assert not NextTokenLoss(model, 4)(ids).requires_grad


def test_a_frozen_head_or_body_is_left_alone(ids: Tensor) -> None:
    model = a_model()
    expected = loss_and_gradients(model, ids, None)
    for frozen in (["lm_head.weight"], [n for n, _ in model.named_parameters() if n != "lm_head.weight"]):
        model = a_model()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in frozen)
        got = loss_and_gradients(model, ids, 7)
        assert not got.keys() & set(frozen)
        assert furthest(got, {n: expected[n] for n in expected if n not in frozen}) < 1e-12


def test_a_second_backward_is_refused_or_right(ids: Tensor) -> None:
    model = a_model()
    once = loss_and_gradients(model, ids, 7)
    model.zero_grad()
    loss = NextTokenLoss(model, 7)(ids)
    loss.backward(retain_graph=True)
    loss.backward()
    assert all(torch.allclose(p.grad, 2 * once[n], rtol=1e-12) for n, p in model.named_parameters())
    loss = NextTokenLoss(model, 7)(ids)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    loss = 2 * NextTokenLoss(model, 7)(ids)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace"):  # the gradients were multiplied where they lie
        loss.backward()


class Largest(TorchDispatchMode):
    """Notes the calls, and how many elements the largest tensor has that any of them gives."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.calls: dict[str, int] = {"aten::mm": 0, "aten::scatter_add_": 0}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name
        self.calls[name] = self.calls.get(name, 0) + 1
        self.elements = max([self.elements, *(t.numel() for t in tree_leaves(out) if isinstance(t, Tensor))])
        return out


@pytest.mark.parametrize("bf16", [False, True])
def test_never_all_logits(bf16: bool) -> None:
    torch.manual_seed(0)
    V, B, T, chunk = 500, 4, 32, 16
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=1, n_head=1, n_embd=8))
    ids = torch.randint(V, (B, T + 1))
    for way, largest in [(None, B * T * V), (chunk, chunk * V)]:
        with Largest() as seen:
            loss_and_gradients(model, ids, way, bf16=bf16)
        assert seen.elements == largest


def test_compiled(ids: Tensor) -> None:
    """As a graph that breaks before the head; `aot_eager` is the compiler without its code generator."""
    model = a_model()
    expected = loss_and_gradients(model, ids, None)
    model.zero_grad()
    loss = torch.compile(NextTokenLoss(model, 7), backend="aot_eager")(ids)
    loss.backward()
    got = {"loss": loss.detach(), **{n: p.grad for n, p in model.named_parameters()}}
    assert furthest(got, expected) < 1e-12


def test_chunk_for() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert chunk_for(69, cpu) is None
    assert [chunk_for(V, cpu) for V in (6551, 50_257)] == [640, 128]
    assert chunk_for(6551, cuda) is None
    assert chunk_for(50_257, cuda) == 1335
    assert chunk_for(50_257, torch.device("mps")) is None
    with pytest.raises(ValueError, match="chunk: got 0, expected at least 1"):
        NextTokenLoss(a_model(), 0)


@pytest.mark.gpu
@pytest.mark.parametrize("bf16", [False, True])
def test_on_cuda_equals_the_plain_way(ids: Tensor, bf16: bool) -> None:
    results = []
    for chunk in (None, 7):
        model = a_model(torch.float32).cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bf16):
            loss = NextTokenLoss(model, chunk)(ids.cuda())
        (loss * 2).backward()
        results.append({"loss": loss.detach(), **{n: p.grad for n, p in model.named_parameters()}})
    assert furthest(results[1], results[0]) < (0.02 if bf16 else 1e-4)
