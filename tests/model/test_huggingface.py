"""Hugging Face's format, out and in: `transformers` itself is the judge, where it is installed."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run_here
from conftest import needs_data, settings_of
from hf_models import CONTEXT, assert_same_logits, random_model
from nasty import NASTY
from safetensors.torch import load_file, save_file

import tokexp.evaluate
import tokexp.sample
from tokexp.config import InputError
from tokexp.model.generate import generate
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.huggingface import OUR_TOKENIZER, Pretrained, load_hf, save_hf, to_tensors
from tokexp.runs.load import load_any
from tokexp.tokenizer import Tokenizer, train_tokenizer
from tokexp.tokenizer.base import BOS, EOS, PAD

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("byte", {}), ("char", {}), ("char", {"byte_fallback": True}), ("word", {}), ("bpe", {}),
    ("bpe", {"pattern": "none"}), ("bpe_fallback", {}), ("bpe_classic", {}), ("hf_bpe", {}), ("hf_wordpiece", {}),
    ("gpt2", {}), ("file", {}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _their_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="transformers|huggingface_hub")
        yield


@pytest.fixture(scope="module")
def bpe(text: str) -> Tokenizer:
    return train_tokenizer("bpe", text, vocab_size=300)


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def saved(request: pytest.FixtureRequest, bpe: Tokenizer, tmp_path: Path) -> tuple[GPT, Path]:
    model = random_model(bpe.vocab_size, tie_weights=request.param)
    assert save_hf(model, bpe, tmp_path / "hf", CONTEXT) is None
    return model, tmp_path / "hf"


# Out.


def test_transformers_reads_the_same_model(transformers: Any, saved: tuple[GPT, Path]) -> None:
    model, folder = saved
    theirs, info = transformers.GPT2LMHeadModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), "every tensor has its place, and every place its tensor"
    assert theirs.config.tie_word_embeddings == model.config.tie_weights
    assert (theirs.lm_head.weight is theirs.transformer.wte.weight) == model.config.tie_weights
    assert_same_logits(model, theirs.eval())
    assert type(transformers.AutoModelForCausalLM.from_pretrained(folder)) is transformers.GPT2LMHeadModel


@pytest.mark.parametrize("variant", [{"norm": "rmsnorm"}, {"positions": "rope"}, {"n_kv_head": 1}])
def test_a_variant_that_the_format_lacks_is_refused(bpe: Tokenizer, tmp_path: Path, variant: dict[str, Any]) -> None:
    model = GPT(GPTConfig(vocab_size=bpe.vocab_size, block_size=8, n_layer=1, n_head=2, n_embd=8, **variant))
    with pytest.raises(InputError, match="GPT-2's format has no norm="):
        save_hf(model, bpe, tmp_path / "hf", 0)
    assert not (tmp_path / "hf").exists()


def test_greedy_text_is_the_same(transformers: Any, saved: tuple[GPT, Path], bpe: Tokenizer) -> None:
    """What no text has is drawn by neither, be it ever so likely."""
    model, folder = saved
    with torch.no_grad():
        model.lm_head.weight[EOS] = 0
        model.ln_f.bias[0] += 3.0
        model.lm_head.weight[EOS, 0] = 5.0
    shutil.rmtree(folder)
    save_hf(model, bpe, folder, CONTEXT)
    forbidden = torch.tensor(bpe.never_drawn())
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder)
    prompt = torch.tensor([bpe.encode("the king")[:4]])
    *_, freely = generate(model, prompt, tokens=12, temperature=0)
    *_, ours = generate(model, prompt, tokens=12, temperature=0, forbidden=forbidden)
    assert EOS in freely.tolist()[0]
    got = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False)
    assert got.tolist() == ours.tolist()


@pytest.mark.parametrize(("kind", "chosen"), KINDS)
def test_transformers_reads_the_same_tokenizer(
    transformers: Any, text: str, tmp_path: Path, kind: str, chosen: dict[str, Any]
) -> None:
    ours = train_tokenizer(kind, text, **{**settings_of(kind, tmp_path, text), **chosen})
    save_hf(random_model(ours.vocab_size), ours, tmp_path / "hf", CONTEXT)
    theirs = [
        transformers.AutoTokenizer.from_pretrained(tmp_path / "hf"),
        transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path / "hf"),
        transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "hf" / "tokenizer.json")),
    ]
    samples = {**NASTY, "text": text[:3000], "names": "<bos>a <eos><pad>\n<unk> <|endoftext|>b"}
    if kind == "word":
        del samples["case"]  # there the library's lower case makes two characters of one
    for library in theirs:
        assert len(library) == ours.vocab_size
        for name, sample in samples.items():
            ids = ours.encode(sample)
            assert library(sample)["input_ids"] == ids, name
            assert library.decode(ids) == ours.decode(ids), name
    if not ours.fallback_ids():  # there bytes that are no character become one U+FFFD each
        rng = random.Random(0)
        drawable = sorted(set(range(ours.vocab_size)) - set(ours.never_drawn()))
        for _ in range(100):
            ids = rng.choices(drawable, k=12)
            assert theirs[0].decode(ids) == ours.decode(ids)


def test_specials_have_their_names(transformers: Any, saved: tuple[GPT, Path]) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved[1])
    config = transformers.AutoConfig.from_pretrained(saved[1])
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (PAD, BOS, EOS)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (PAD, BOS, EOS)
    assert tokenizer.model_max_length == 16
    assert config.tokexp_context_id == load_any(saved[1]).context_id == CONTEXT


def test_gpt2_keeps_its_own_special(text: str, tmp_path: Path) -> None:
    needs_data("gpt2/vocab.bpe")
    gpt2 = train_tokenizer("gpt2", "")
    save_hf(random_model(gpt2.vocab_size, n_embd=2), gpt2, tmp_path / "hf", CONTEXT)
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (50_256, 50_256, None)


@pytest.mark.parametrize("kind", ["word_cased", "sp_bpe"])
def test_kinds_without_a_form_there_leave_the_weights(text: str, tmp_path: Path, kind: str) -> None:
    ours = train_tokenizer(kind, text, **settings_of(kind, tmp_path, text))
    note = save_hf(random_model(ours.vocab_size), ours, tmp_path / "hf", CONTEXT)
    assert note is not None
    assert "has no form in tokenizer.json" in note
    assert not (tmp_path / "hf" / "tokenizer.json").exists()
    loaded = load_any(tmp_path / "hf")
    assert isinstance(loaded, Pretrained)
    assert loaded.tokenizer.encode(text) == ours.encode(text)


def test_others_may_read_what_was_written(saved: tuple[GPT, Path]) -> None:
    assert len({path.stat().st_mode for path in saved[1].iterdir()}) == 1
    plain = saved[1].parent / "plain"
    plain.mkdir()
    assert saved[1].stat().st_mode == plain.stat().st_mode


def test_nothing_there_is_a_pickle(saved: tuple[GPT, Path]) -> None:
    names = {path.name for path in saved[1].iterdir()}
    assert names == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        OUR_TOKENIZER,
    }  # fmt: skip


def test_an_empty_folder_is_filled(bpe: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    save_hf(random_model(bpe.vocab_size), bpe, tmp_path / "hf", CONTEXT)
    assert (tmp_path / "hf" / "config.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_nothing_is_left_half_written(bpe: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Tokenizer, "save", full)
    with pytest.raises(InputError, match="No space left"):
        save_hf(random_model(bpe.vocab_size), bpe, tmp_path / "hf", CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_of_another_size_is_refused(bpe: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="300 tokens and a model of 301"):
        save_hf(random_model(301), bpe, tmp_path / "hf", CONTEXT)
    assert list(tmp_path.iterdir()) == []
    save_hf(random_model(300), bpe, tmp_path / "hf", CONTEXT)
    train_tokenizer("byte", "").save(tmp_path / "hf" / OUR_TOKENIZER)
    with pytest.raises(InputError, match="tokenizer of 260 tokens and weights for 300"):
        load_any(tmp_path / "hf")


# In.


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def foreign(request: pytest.FixtureRequest, transformers: Any, bpe: Tokenizer, tmp_path: Path) -> tuple[Any, Path]:
    """A GPT-2 that transformers itself made and saved, every parameter random."""
    config = transformers.GPT2Config(
        vocab_size=300, n_positions=16, n_embd=12, n_layer=2, n_head=3, bos_token_id=2, eos_token_id=3,
        tie_word_embeddings=request.param,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    model.save_pretrained(tmp_path / "foreign")
    save_hf(random_model(300), bpe, tmp_path / "ours", CONTEXT)
    transformers.AutoTokenizer.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "foreign")
    return model, tmp_path / "foreign"


def test_theirs_gives_the_same_logits_here(foreign: tuple[Any, Path]) -> None:
    theirs, folder = foreign
    ours = load_hf(folder)
    assert not ours.training
    assert ours.config.tie_weights == theirs.config.tie_word_embeddings
    assert (ours.config.n_head, ours.config.dropout) == (3, 0.1)
    assert_same_logits(ours, theirs)


def test_there_and_back_changes_no_tensor(foreign: tuple[Any, Path], bpe: Tokenizer, tmp_path: Path) -> None:
    folder = foreign[1]
    save_hf(load_hf(folder), bpe, tmp_path / "back", CONTEXT)
    first, second = load_file(folder / "model.safetensors"), load_file(tmp_path / "back" / "model.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_published_files_names_are_read(bpe: Tokenizer, tmp_path: Path) -> None:
    """As OpenAI's GPT-2 lies on the hub: no prefix, masks among the weights, no head, and settings left out."""
    model = random_model(300, tie_weights=True)
    save_hf(model, bpe, tmp_path, CONTEXT)
    bare = {name.removeprefix("transformer."): value for name, value in to_tensors(model).items()}
    for layer in range(2):
        bare[f"h.{layer}.attn.bias"] = torch.ones(16, 16).tril().view(1, 1, 16, 16)
        bare[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(bare, tmp_path / "model.safetensors")
    kept = ("model_type", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "bos_token_id")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({name: config[name] for name in kept}))
    got = load_hf(tmp_path)
    assert all(torch.equal(value, got.state_dict()[name]) for name, value in model.state_dict().items())


def test_half_precision_becomes_float32(bpe: Tokenizer, tmp_path: Path) -> None:
    model = random_model(300)
    save_hf(model, bpe, tmp_path, CONTEXT)
    halves = {name: value.to(torch.bfloat16) for name, value in to_tensors(model).items()}
    save_file(halves, tmp_path / "model.safetensors")
    assert load_hf(tmp_path).wte.weight.dtype == torch.float32


def test_theirs_samples_and_scores_here(
    foreign: tuple[Any, Path], text_file: Path, bpe: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = foreign[1]
    loaded = load_any(folder)
    assert isinstance(loaded, Pretrained)
    assert (loaded.tokenizer.kind, loaded.context_id) == ("file", BOS)
    assert loaded.tokenizer.encode("the king") == bpe.encode("the king")
    assert run_here(tokexp.sample, monkeypatch, folder, "--prompt", "the", "--tokens", 20) == 0
    assert capsys.readouterr().out.startswith("the")
    assert run_here(tokexp.evaluate, monkeypatch, folder, "--text", text_file) == 0
    assert "bits per byte" in capsys.readouterr().out


def test_a_file_of_theirs_goes_out_again(foreign: tuple[Any, Path], transformers: Any, tmp_path: Path) -> None:
    """Its registered specials are ordinary text here, and so in what is written."""
    loaded = load_any(foreign[1])
    assert "<eos>" in {token["content"] for token in json.loads(loaded.tokenizer.content)["added_tokens"]}
    save_hf(loaded.model, loaded.tokenizer, tmp_path / "again", CONTEXT)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    bare = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "again" / "tokenizer.json"))
    for name, sample in {**NASTY, "names": "<bos>a <eos>"}.items():
        ids = loaded.tokenizer.encode(sample)
        assert theirs(sample)["input_ids"] == bare(sample)["input_ids"] == ids, name
        assert theirs.decode(ids) == sample == loaded.tokenizer.decode(ids)


def test_without_a_file_gpt2s_size_means_its_tokenizer(tmp_path: Path) -> None:
    needs_data("gpt2/vocab.bpe")
    gpt2 = train_tokenizer("gpt2", "")
    save_hf(random_model(gpt2.vocab_size, n_embd=2), gpt2, tmp_path, CONTEXT)
    (tmp_path / OUR_TOKENIZER).unlink()
    assert load_any(tmp_path).tokenizer.kind == "file"
    (tmp_path / "tokenizer.json").unlink()
    assert load_any(tmp_path).tokenizer.kind == "gpt2"


def test_a_lossy_tokenizer_needs_the_run(
    text: str, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    word = train_tokenizer("word", text)
    save_hf(random_model(word.vocab_size), word, tmp_path, CONTEXT)
    assert run_here(tokexp.evaluate, monkeypatch, tmp_path, "--text", text_file) == 2
    assert "give the run's folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation_function": "relu"}, 'activation_function "relu", expected "gelu_new"'),
        ({"n_inner": 13}, "n_inner 13, expected null or 48"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon 1e-06, expected 1e-05"),
        ({"scale_attn_weights": False}, "scale_attn_weights false"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx true"),
        ({"reorder_and_upcast_attn": True}, "reorder_and_upcast_attn true"),
        ({"add_cross_attention": True}, "add_cross_attention true"),
        ({"model_type": "llama"}, "model_type 'llama'"),
        ({"model_type": None}, "model_type None"),
        ({"n_layer": None, "n_head": "2"}, "no whole number as n_layer, n_head"),
        ({"n_head": 5}, "a multiple of model.n_head=5"),
        ({"vocab_size": 0}, "vocab_size 0"),
        ({"attn_pdrop": 0.5}, "attn_pdrop 0.5, expected one rate"),
        ({"tie_word_embeddings": True}, "lm_head.weight that is not wte.weight"),
        ({"n_layer": 3}, "h.2.ln_1.weight is missing, h.2.ln_1.bias is missing"),
        ({"n_layer": 1}, "h.1.attn.c_attn.bias is not a GPT-2's"),
        ({"n_positions": 17}, r"wpe.weight is (16, 12) instead of (17, 12)"),
        ({"vocab_size": 301}, r"wte.weight is (300, 12) instead of (301, 12)"),
    ],
)
def test_what_our_model_cannot_be_is_refused(
    bpe: Tokenizer, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    save_hf(random_model(300), bpe, tmp_path, CONTEXT)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(InputError) as error:
        load_hf(tmp_path)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_two_names_of_one_activation(bpe: Tokenizer, tmp_path: Path) -> None:
    save_hf(random_model(300), bpe, tmp_path, CONTEXT)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("gelu_new", "gelu_pytorch_tanh"))
    load_hf(tmp_path)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["pytorch_model.bin"], r"a pickle, .*\.save_pretrained"),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors"], "in several files"),
        ([], "has no model.safetensors"),
    ],
)
def test_weights_are_safetensors_only(bpe: Tokenizer, tmp_path: Path, names: list[str], reason: str) -> None:
    save_hf(random_model(300), bpe, tmp_path, CONTEXT)
    (tmp_path / "model.safetensors").unlink()
    for name in names:
        (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=reason):
        load_hf(tmp_path)


def test_damaged_files_are_refused(bpe: Tokenizer, tmp_path: Path) -> None:
    save_hf(random_model(300), bpe, tmp_path, CONTEXT)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    tensors = load_file(weights)
    save_file({**tensors, "transformer.ln_f.bias": torch.zeros(12, dtype=torch.int8)}, weights)
    with pytest.raises(InputError, match=r"ln_f.bias is torch\.int8"):
        load_hf(tmp_path)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="fetch it again"):
        load_hf(tmp_path)
    for content in ("{", "[]"):
        config.write_text(content)
        with pytest.raises(InputError, match="fetch it again"):
            load_hf(tmp_path)
    config.unlink()
    with pytest.raises(InputError, match="expected a GPT-2's settings there"):
        load_hf(tmp_path)


def test_what_stands_before_a_text_must_be_known(bpe: Tokenizer, tmp_path: Path) -> None:
    save_hf(random_model(300), bpe, tmp_path, CONTEXT)
    path = tmp_path / "config.json"
    for given, expected in (("tokexp_context_id", BOS), ("bos_token_id", EOS)):
        path.write_text(json.dumps({**json.loads(path.read_text()), given: 300}))
        loaded = load_any(tmp_path)
        assert isinstance(loaded, Pretrained)
        assert loaded.context_id == expected
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": None}))
    with pytest.raises(InputError, match="has no bos_token_id"):
        load_any(tmp_path)
