"""The training loss: mean cross-entropy of the next token, the plain way or without ever holding all logits.

Shape suffixes as in `tokexp/model/gpt.py`, and N tokens in all, n tokens of a chunk.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tokexp.model.gpt import GPT

CHUNK_FLOATS = 2**22  # logits held at once on a CPU: 16 MB of float32
CHUNK_FLOATS_CUDA = 2**26


class NextTokenLoss(nn.Module):
    """Nats per token of predicting each id of a sequence from those before it.

    `chunk` is how many tokens go through the LM head at a time; None is the plain way: all logits,
    then `F.cross_entropy`. Both give the same loss and gradients up to rounding (1e-12 relative in float64);
    the choice is one of speed and memory, see `chunk_for`. A loss per token compares models of one
    tokenizer only.
    The model stays the owner of its parameters: save `model.state_dict()`, not this module's.
    """

    def __init__(self, model: GPT, chunk: int | None) -> None:
        super().__init__()
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk: got {chunk}, expected at least 1 token, or None for all of them at once")
        self.model = model
        self.chunk = chunk

    def forward(self, ids_BT1: Tensor) -> Tensor:
        """The mean over ids (B, T + 1), int64: the first T of each row are read, the last T predicted."""
        x_NC = self.model.hidden(ids_BT1[:, :-1]).flatten(0, 1)
        targets_N = ids_BT1[:, 1:].flatten()
        if self.chunk is None:
            logits_NV = self.model.lm_head(x_NC)
            return F.cross_entropy(logits_NV.to(_wide(logits_NV.dtype)), targets_N)
        return chunked_cross_entropy(x_NC, self.model.lm_head.weight, targets_N, self.chunk)


def chunk_for(vocab_size: int, device: torch.device) -> int | None:
    """The `chunk` of NextTokenLoss that is fastest for a vocabulary.

    On a CPU about 16 MB of logits: small enough to stay in the caches from the product to the last use,
    large enough for the products, and for threads to be worth their start. Loss and gradients of 2,048
    tokens, width 256, one thread of a Xeon (Sapphire Rapids) that had other work too, how many times
    as fast as the plain way:

        chunk                64    128    256    512   1024   2048
        vocabulary     69  0.46   0.64   0.75   0.82   0.85   0.89
                      256  1.10   1.27   1.35   1.38   1.32   1.27
                    1,024  1.20   1.44   1.45   1.50   1.51   1.36
                    6,551  1.55   1.74   1.73   1.73   1.69   1.42
                   50,257  1.38   1.81   1.72
        in bf16     6,551  1.46   2.05   2.49   3.16   1.88   1.57

    With two threads at 6,551, in ms: 147 tokens 70, 293 tokens 68, 512 tokens 64, 1,024 tokens 66.
    On CUDA not measured, chosen for memory: the plain way, which torch.compile fuses, where its logits
    are small anyway. Elsewhere the plain way.
    """
    if device.type == "cpu":
        return None if vocab_size <= 128 else max(128, CHUNK_FLOATS // vocab_size)
    if device.type == "cuda":
        return None if vocab_size <= 8192 else max(1024, CHUNK_FLOATS_CUDA // vocab_size)
    return None


@torch.compiler.disable  # it cannot be traced, and a few large calls have nothing to gain
def chunked_cross_entropy(x_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, chunk: int) -> Tensor:
    """F.cross_entropy(x_NC @ weight_VC.T, targets_N), `chunk` tokens at a time.

    Under autocast the matrix products are in its type, the rest and the weight's gradient in float32.
    Not for float16, whose range is too narrow for the gradient of a mean that nothing has scaled.
    """
    return _ChunkedCrossEntropy.apply(x_NC, weight_VC, targets_N, chunk, torch.is_grad_enabled())


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The loss, and in the same pass its gradients, so that a chunk's logits are used and forgotten.

    The gradient of the mean by the logits is (softmax - onehot) / N, known as soon as the logits are:
    it is written over them, and goes at once into the gradients of x and of the weight. `backward`
    has only to multiply by what arrives.
    Source: the fused linear cross-entropy of Liger Kernel (Hsu et al. 2024); Wijmans et al. (2024),
    "Cut Your Losses in Large-Vocabulary Language Models", leave out the logits altogether.
    """

    @staticmethod
    def forward(ctx: Any, x_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, chunk: int, grad_enabled: bool) -> Tensor:
        device = x_NC.device.type
        dtype = torch.promote_types(x_NC.dtype, weight_VC.dtype)
        if torch.is_autocast_enabled(device) and dtype != torch.float64:  # autocast leaves float64 alone
            dtype = torch.get_autocast_dtype(device)
        loss, *gradients = _loss_and_gradients(
            x_NC.to(dtype),
            weight_VC.to(dtype),
            targets_N,
            chunk,
            grad_enabled and ctx.needs_input_grad[0],
            grad_enabled and ctx.needs_input_grad[1],
        )
        if grad_enabled:
            pairs = zip(gradients, (x_NC, weight_VC), strict=True)
            ctx.save_for_backward(*(None if g is None else g.to(owner.dtype) for g, owner in pairs))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # In place, since nobody else holds them; autograd refuses a second backward over changed tensors.
        # Looking at the value is free on a CPU alone: elsewhere it would wait for the device.
        gradients = ctx.saved_tensors
        if grad.device.type != "cpu" or grad.item() != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(grad)
        return (*gradients, None, None, None)


def _loss_and_gradients(
    x_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, chunk: int, needs_x: bool, needs_weight: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The mean cross-entropy, and where they are needed its gradients by x and weight, in float32 or wider."""
    N, V = len(x_NC), len(weight_VC)
    narrow, wide = x_NC.dtype, _wide(x_NC.dtype)
    n = -(-N // -(-N // chunk))  # as many chunks as `chunk` makes, of equal size
    buffer_nV = x_NC.new_empty(n, V, dtype=wide)
    losses_N = x_NC.new_empty(N, dtype=wide)
    grad_x_NC = torch.empty_like(x_NC, dtype=wide) if needs_x else None
    grad_weight_VC = torch.empty_like(weight_VC, dtype=wide) if needs_weight else None

    for begin in range(0, N, n):
        chunk_of_N = slice(begin, begin + n)
        x_nC, targets_n1 = x_NC[chunk_of_N], targets_N[chunk_of_N, None]
        e_nV = buffer_nV[: len(x_nC)]
        _product(x_nC, weight_VC.t(), e_nV)
        # One exponential an entry, and no pass to divide by the sum: that is done on the (n, C) side.
        true_n1 = e_nV.gather(1, targets_n1)
        max_n1 = e_nV.amax(1, keepdim=True)
        sum_n1 = e_nV.sub_(max_n1).exp_().sum(1, keepdim=True)
        losses_N[chunk_of_N] = (sum_n1.log() + max_n1 - true_n1).squeeze(1)
        if not (needs_x or needs_weight):
            continue
        e_nV.scatter_add_(1, targets_n1, -sum_n1)
        scale_n1 = (sum_n1 * N).reciprocal_()  # scale x e is now (softmax - onehot) / N
        e_nV = e_nV.to(narrow)
        if grad_x_NC is not None:
            _product(e_nV, weight_VC, grad_x_NC[chunk_of_N])
            grad_x_NC[chunk_of_N].mul_(scale_n1)
        if grad_weight_VC is not None:
            _product(e_nV.t(), (x_nC * scale_n1).to(narrow), grad_weight_VC, add=begin > 0)
    return losses_N.mean(), grad_x_NC, grad_weight_VC


def _product(a: Tensor, b: Tensor, out: Tensor, *, add: bool = False) -> None:
    """Write a @ b to `out`, or add it; `out` may be of a wider type than the product."""
    if out.dtype != a.dtype:
        out.add_(a @ b) if add else out.copy_(a @ b)
    elif add:
        out.addmm_(a, b)
    else:
        torch.mm(a, b, out=out)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """The type in which sums and exponentials are computed."""
    return dtype if dtype == torch.float64 else torch.float32
