"""Writes a GPT and its tokenizer as a folder that `transformers` reads as a GPT-2, and reads such a folder.

Ours is GPT-2 under nanoGPT's names; there the matrices of a block lie transposed (Conv1D). Both ways are
written by hand, so `transformers` is not needed. Weights are safetensors only: reading a pickle may run code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from tokexp.config import InputError, ModelConfig
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.weights import read_weights, require_fit
from tokexp.system.files import new_folder, replacing, write_json
from tokexp.system.reading import read_json
from tokexp.tokenizer import Tokenizer, load_tokenizer
from tokexp.tokenizer.foreign.export import named_specials, to_hf, write_hf
from tokexp.tokenizer.foreign.file import FileTokenizer
from tokexp.tokenizer.gpt2 import END_OF_TEXT, GPT2Tokenizer

WEIGHTS = "model.safetensors"
OUR_TOKENIZER = "tokexp_tokenizer.json"  # it has every kind, and knows which ids no text has
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
MASK = re.compile(r"h\.\d+\.attn\.(masked_)?bias")  # constants that older files hold

# Our model, by GPT-2's settings there: the values that it can be, GPT-2's default first.
ONLY: dict[str, tuple[Any, ...]] = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of one function
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "reorder_and_upcast_attn": (False,),
    "add_cross_attention": (False,),
}
DROPOUT = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


@dataclass(frozen=True)
class Pretrained:
    """A model from elsewhere, on the CPU in eval mode, and its tokenizer. It has no settings and no figures."""

    model: GPT
    tokenizer: Tokenizer
    context_id: int  # the id before a text


def save_hf(model: GPT, tokenizer: Tokenizer, folder: Path | str, context_id: int) -> str | None:
    """Write a new `folder`: the weights and, where the format can say it, the tokenizer.

    Returns a line that says why the tokenizer is missing. Raises InputError, with nothing written, where
    `folder` holds something already.
    """
    if tokenizer.vocab_size != model.config.vocab_size:
        raise InputError(
            f"got a tokenizer of {tokenizer.vocab_size:,} tokens and a model of {model.config.vocab_size:,}, "
            "expected equally many; bring the tokenizer that the model was trained with"
        )
    c = model.config
    if (c.norm, c.positions, c.kv_heads) != ("layernorm", "learned", c.n_head):
        raise InputError(
            f"GPT-2's format has no norm={c.norm} with positions={c.positions} and n_kv_head={c.kv_heads}; "
            "it has layernorm, learned positions and as many heads for keys and values as for queries"
        )
    note = None
    try:
        theirs = to_hf(tokenizer)
    except InputError as error:
        theirs, note = None, str(error)
    names = named_specials(tokenizer)
    ids = {f"{role}_token_id": i for role, (_, i) in names.items() if role != "unk"}
    never = tokenizer.never_drawn()
    with writable_folder(Path(folder)) as new:
        with replacing(new / WEIGHTS) as temporary:  # for its file mode, which the library makes 0600
            save_file(to_tensors(model), temporary, metadata={"format": "pt"})
        write_json(new / "config.json", {**to_config(model), **ids, "tokexp_context_id": context_id})
        write_json(new / "generation_config.json", {**ids, "suppress_tokens": never or None})
        tokenizer.save(new / OUR_TOKENIZER)
        if theirs is not None:
            write_hf(theirs, new / "tokenizer.json")
            settings = {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": model.config.block_size,
                "clean_up_tokenization_spaces": False,
                "split_special_tokens": True,  # a special's name in a text is text
            }
            named = {f"{role}_token": name for role, (name, _) in names.items()}
            write_json(new / "tokenizer_config.json", {**settings, **named})
    return note


def to_config(model: GPT) -> dict[str, Any]:
    """`config.json`, the special ids left out."""
    c = model.config
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": c.vocab_size,
        "n_positions": c.block_size,
        "n_ctx": c.block_size,
        "n_embd": c.n_embd,
        "n_layer": c.n_layer,
        "n_head": c.n_head,
        "n_inner": None,
        **{name: values[0] for name, values in ONLY.items()},
        "layer_norm_epsilon": model.ln_f.eps,
        **dict.fromkeys(DROPOUT, c.dropout),
        "tie_word_embeddings": c.tie_weights,
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),  # GPT-2's default is past a small vocabulary
    }


def to_tensors(model: GPT) -> dict[str, Tensor]:
    """The weights in float32 under GPT-2's names there; a tied head is left out, as it is there."""
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().float().cpu()
        value = value.T if name.endswith(TRANSPOSED) else value
        tensors[name if name.startswith("lm_head.") else f"transformer.{name}"] = value.contiguous()
    if model.config.tie_weights:
        del tensors["lm_head.weight"]
    return tensors


def load_pretrained(folder: Path) -> Pretrained:
    """Read a folder in Hugging Face's format, its tokenizer included: our own file, theirs, or GPT-2's by its size."""
    model = load_hf(folder)
    size = model.config.vocab_size
    ours, theirs = folder / OUR_TOKENIZER, folder / "tokenizer.json"
    tokenizer: Tokenizer
    if ours.is_file():
        tokenizer = load_tokenizer(ours)
    elif theirs.is_file():
        tokenizer = FileTokenizer.train("", path=str(theirs))
    elif size == END_OF_TEXT + 1:
        tokenizer = GPT2Tokenizer.train("")
    else:
        raise InputError(f"{folder}: has no tokenizer.json, expected one for its {size:,} tokens; add it")
    if tokenizer.vocab_size != size:
        raise InputError(
            f"{folder}: got a tokenizer of {tokenizer.vocab_size:,} tokens and weights for {size:,}, expected equally "
            "many; bring the tokenizer that the model was trained with"
        )
    config = _read_config(folder)
    given = [config.get(name) for name in ("tokexp_context_id", "bos_token_id", "eos_token_id")]
    context = [i for i in given if type(i) is int and 0 <= i < size]
    if not context:
        raise InputError(f"{folder / 'config.json'}: has no bos_token_id that is one of its {size:,} tokens; add it")
    return Pretrained(model, tokenizer, context[0])


def load_hf(folder: Path | str) -> GPT:
    """Read a GPT-2 in Hugging Face's format as our model, on the CPU in eval mode.

    Raises InputError, one line, for what our model cannot express and for weights that are not safetensors.
    """
    folder = Path(folder)
    config = _model_config(folder)
    path = folder / WEIGHTS
    if not path.exists():
        raise InputError(_no_weights(folder))
    try:
        tensors = read_weights(path)
        require_fit(config, tensors)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read ({reason}); fetch it again") from error
    state = {}
    for name, value in tensors.items():
        name = name.removeprefix("transformer.")
        if not MASK.fullmatch(name):
            state[name] = value.T if name.endswith(TRANSPOSED) and value.dim() == 2 else value
    if config.tie_weights and "wte.weight" in state:
        head = state.setdefault("lm_head.weight", state["wte.weight"])
        if not torch.equal(head, state["wte.weight"]):
            raise InputError(
                f"{path}: got an lm_head.weight that is not wte.weight, expected one matrix for both, as "
                "tie_word_embeddings says; set that to false in config.json if the head is its own"
            )
    model = GPT(config)
    _check_tensors(path, state, model.state_dict())
    model.load_state_dict(state)
    return model.eval()


def _model_config(folder: Path) -> GPTConfig:
    path = folder / "config.json"
    config = _read_config(folder)
    kind = config.get("model_type")
    if kind != "gpt2":
        raise InputError(f"{path}: got model_type {kind!r}, expected 'gpt2', the one architecture that there is here")
    needed = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
    missing = [name for name in needed if type(config.get(name)) is not int]
    if missing:
        raise InputError(f"{path}: got no whole number as {', '.join(missing)}, expected the model's size; add it")
    for name, allowed in {**ONLY, "n_inner": (None, 4 * config["n_embd"])}.items():
        got = config.get(name, allowed[0])
        if got not in allowed:
            expected = " or ".join(json.dumps(value) for value in allowed)
            raise InputError(f"{path}: got {name} {json.dumps(got)}, expected {expected}; our model has no other")
    rates = [config.get(name, 0.1) for name in DROPOUT]
    if len(set(map(str, rates))) > 1:
        raise InputError(
            f"{path}: got {', '.join(f'{n} {r}' for n, r in zip(DROPOUT, rates, strict=True))}, expected one rate for "
            "all; set them alike, they matter in training only"
        )
    if config["vocab_size"] < 1:
        raise InputError(f"{path}: got vocab_size {config['vocab_size']}, expected at least 1")
    try:
        sizes = ModelConfig(
            block_size=config["n_positions"],
            n_layer=config["n_layer"],
            n_head=config["n_head"],
            n_embd=config["n_embd"],
            dropout=rates[0],
            tie_weights=config.get("tie_word_embeddings", True),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return GPTConfig.of(sizes, config["vocab_size"])


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = read_json(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a GPT-2's settings there") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: got {type(config).__name__}, expected settings by name; fetch it again")
    return config


def _no_weights(folder: Path) -> str:
    if (folder / f"{WEIGHTS}.index.json").exists():
        return f"{folder}: got weights in several files, expected one {WEIGHTS}; save it with max_shard_size='100GB'"
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
    if pickles:
        return (
            f"{folder}: got {pickles[0]}, a pickle, which may run code when it is read, expected {WEIGHTS}; if you "
            "trust it, convert it with transformers: GPT2LMHeadModel.from_pretrained(FOLDER).save_pretrained(NEW)"
        )
    return f"{folder}: has no {WEIGHTS}, expected a GPT-2's weights there"


def _check_tensors(path: Path, got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raise InputError where names, shapes or types differ, naming the first three."""
    shapes = [
        f"{name} is {tuple(got[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in got and got[name].shape != value.shape
    ]
    whole = [f"{name} is {got[name].dtype}" for name in expected if name in got and not got[name].is_floating_point()]
    missing = [f"{name} is missing" for name in expected if name not in got]
    unknown = [f"{name} is not a GPT-2's" for name in got if name not in expected]
    wrong = [*missing, *unknown, *shapes, *whole]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InputError(f"{path}: {', '.join(wrong[:3])}{more}; expected what config.json says, so fetch both again")


@contextmanager
def writable_folder(target: Path) -> Iterator[Path]:
    """A temporary folder, which becomes `target` on success. Raises InputError, one line, where that cannot be."""
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(
                f"{target}: is there already, expected a new or an empty folder; remove it or name another"
            )
        with new_folder(target) as temporary:
            yield temporary
    except (OSError, SafetensorError) as error:
        raise InputError(f"{target}: cannot be written ({error}); name another folder") from error
