"""A run from end to end, without Hydra: what it leaves, that others can recompute it, and that it is not done twice."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import tokexp.stages.prepare
from tokexp.config import (
    BudgetConfig,
    DataConfig,
    InputError,
    ModelConfig,
    RunConfig,
    SampleConfig,
    TokenizerConfig,
    TrackingConfig,
    TrainConfig,
    from_dict,
    to_dict,
)
from tokexp.data.corpus import load_corpus
from tokexp.experiment import run_experiment
from tokexp.model.generate import sample_tokens
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.runs.files import load_metrics
from tokexp.runs.identity import config_hash
from tokexp.runs.load import load_run
from tokexp.runs.result import RunResult, json_row, load_result
from tokexp.runs.state import State, read_state, write_state
from tokexp.scoring.samples.readability import MEASURES
from tokexp.system import provenance
from tokexp.system.device import peak_memory
from tokexp.tokenizer import load_tokenizer, train_tokenizer
from tokexp.training.loop import DivergedError
from tokexp.training.record import EvalRow, StepRow


def settings(text_file: Path, kind: str = "bpe", **changes: object) -> RunConfig:
    vocab_size = 300 if kind == "bpe" else 330 if kind in ("bpe_fallback", "hf_wordpiece", "sp_unigram") else None
    return dataclasses.replace(
        RunConfig(
            data=DataConfig(name="text", path=str(text_file)),
            tokenizer=TokenizerConfig(kind=kind, vocab_size=vocab_size),
            model=ModelConfig(block_size=16, n_layer=1, n_head=2, n_embd=16),
            train=TrainConfig(batch_size=4, lr=1e-2, min_lr=1e-3, eval_every=10),
            budget=BudgetConfig(steps=25),
            sample=SampleConfig(tokens=20, count=2, chars=40),
            tracking=TrackingConfig(mode="disabled"),
        ),
        **changes,
    )


@pytest.fixture(scope="module", params=["char", "word", "bpe", "bpe_fallback", "hf_wordpiece", "sp_unigram"])
def run(request: pytest.FixtureRequest, text_file: Path, tmp_path_factory: pytest.TempPathFactory):
    cfg = settings(text_file, request.param)
    folder = tmp_path_factory.mktemp("run") / "one"
    return cfg, folder, run_experiment(cfg, folder)


def test_folder_has_what_the_design_says(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, _ = run
    left = {path.name for path in folder.iterdir()} - {".lock"}
    assert left == {
        "config.yaml", "status.json", "result.json", "metrics.jsonl", "tokenizer.json",
        "model.safetensors", "best.safetensors", "samples.jsonl", "run.log", "content.jsonl", "readability.jsonl",
        "corpus.json", "segments.jsonl", "texts.jsonl", "counts.json",
    }  # fmt: skip
    assert json.loads((folder / "status.json").read_text())["state"] == "done"


def test_result_is_flat_and_as_returned(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, result = run
    data = json.loads((folder / "result.json").read_text())
    assert next(iter(data)) == "schema_version"
    assert data == json_row(result)
    assert load_result(folder) == result
    assert result.val_bpb == pytest.approx(result.scores.val_bpb_naive + result.scores.val_bpb_restoration)
    parts = [data[f"val_bpb_restoration_{part}"] for part in ("spacing", "case", "spelling")]
    assert sum(parts) == pytest.approx(result.scores.val_bpb_restoration)
    assert (result.scores.val_bpb_restoration > 0) == (result.tokenizer.kind in ("word", "hf_wordpiece"))
    assert result.scores.best_val_bpb <= result.val_bpb
    assert result.parameters.params_total == sum(
        data[f"params_{p}"] for p in ("token_embedding", "position_embedding", "lm_head", "body")
    )


def test_bits_per_byte_recomputed_from_the_files_alone(run: tuple[RunConfig, Path, RunResult]) -> None:
    """As somebody else would: the weights, the tokenizer, the text, and one window after another."""
    cfg, folder, result = run
    corpus = load_corpus(cfg.data)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    model = GPT(GPTConfig.of(cfg.model, tokenizer.vocab_size))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    stream = [tokenizer.encode(corpus.train.text)[-1], *tokenizer.encode(corpus.val.text)]
    nats = 0.0
    for i in range(0, len(stream) - 1, 16):
        window = torch.tensor(stream[i : i + 17])
        nats += F.cross_entropy(model(window[None, :-1])[0], window[1:], reduction="sum").item()
    assert nats / math.log(2) / corpus.val.n_bytes == pytest.approx(result.scores.val_bpb_naive, rel=1e-5)
    assert nats / (len(stream) - 1) == pytest.approx(result.scores.val_loss, rel=1e-5)


def test_blocks_and_rows_add_up(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, result = run
    rows = load_metrics(folder)
    evals = [row for row in rows if isinstance(row, EvalRow)]
    assert [row.step for row in evals] == [10, 20, 25]
    assert sum(evals[-1].scores.val_block_nats) / math.log(2) / result.scores.val_bytes == pytest.approx(result.val_bpb)
    assert (evals[-1].bytes_seen, evals[-1].tokens_seen) == (result.cost.bytes_seen, result.cost.tokens_seen)
    assert min(row.scores.val_loss for row in evals) == result.scores.best_val_loss
    assert [row.step for row in rows if isinstance(row, StepRow)] == list(range(1, 26))


def test_best_weights_are_those_of_the_best_evaluation(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, result = run
    assert load_run(folder, weights="best").model.training is False
    same = (folder / "best.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert same == (result.scores.best_val_loss == result.scores.val_loss)


def test_samples_are_as_asked(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, result = run
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert [(row["equal"], row["temperature"], row["sample"]) for row in rows] == [
        ("tokens", 0.8, 0), ("chars", 0.8, 0), ("chars", 0.8, 1), ("chars", 1.0, 0), ("chars", 1.0, 1),
    ]  # fmt: skip
    assert [len(row["text"]) for row in rows[1:]] == [40] * 4
    read = [json.loads(line) for line in (folder / "readability.jsonl").read_text().splitlines()]
    assert [(row["temperature"], row["sample"]) for row in read] == [(0.8, 0), (0.8, 1), (1.0, 0), (1.0, 1)]
    assert read[0].keys() == {"temperature", "sample", *MEASURES}
    assert len(rows[0]["text"]) == result.sample_chars_500
    assert result.tokenizer.kind != "char" or result.sample_chars_500 == 20


@pytest.fixture(scope="module")
def overfitted(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path, RunResult]:
    """A run whose best checkpoint is not its last one."""
    folder = tmp_path_factory.mktemp("overfitted") / "one"
    little = folder.with_name("little.txt")
    little.write_text(text_file.read_text(encoding="utf-8")[:1500], encoding="utf-8")
    steep = TrainConfig(batch_size=8, lr=3e-2, min_lr=3e-2, eval_every=10, warmup_steps=1)
    cfg = settings(little, "char", train=steep, budget=BudgetConfig(steps=150))
    return cfg, folder, run_experiment(cfg, folder)


def test_samples_are_by_the_best_weights(overfitted: tuple[RunConfig, Path, RunResult]) -> None:
    cfg, folder, result = overfitted
    assert result.scores.best_val_loss < result.scores.val_loss
    row = json.loads((folder / "samples.jsonl").read_text().splitlines()[0])
    first, sample = row["text"], dataclasses.replace(cfg.sample, prompt=row["prompt"])
    drawn = {}
    for which in ("best", "end"):
        found = load_run(folder, weights=which)
        drawn[which] = sample_tokens(found.model, found.tokenizer, sample, seed=cfg.seed)
    assert drawn["best"] == first != drawn["end"]


def test_figures_of_training_recomputed_from_its_rows(overfitted: tuple[RunConfig, Path, RunResult]) -> None:
    cfg, folder, result = overfitted
    rows = load_metrics(folder)
    blocks = np.array([row.scores.val_block_nats for row in rows if isinstance(row, EvalRow)])
    even, odd = blocks[:, 0::2].sum(axis=1), blocks[:, 1::2].sum(axis=1)
    paid = (odd[even.argmin()] + even[odd.argmin()]) / math.log(2) / result.scores.val_bytes
    assert result.scores.best_val_bpb_crossfit == pytest.approx(paid)
    assert result.scores.best_val_bpb < paid, "the choice is paid for"
    tokens = len(load_tokenizer(folder / "tokenizer.json").encode(load_corpus(cfg.data).train.text))
    assert result.cost.epochs == pytest.approx(150 * 8 * 16 / tokens)
    norms = [row.grad_norm for row in rows if isinstance(row, StepRow)]
    spikes = [norm > 3 * np.median(norms[i - 50 : i]) for i, norm in enumerate(norms) if i >= 50]
    assert result.cost.grad_norm_spikes == pytest.approx(np.mean(spikes))


def test_the_commit_is_that_of_the_start(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """What is committed while it trains is not what it runs."""
    head = ["before"]
    train = tokexp.stages.prepare.train

    def committing(*arguments: Any, **named: Any) -> Any:
        head[0] = "after"
        return train(*arguments, **named)

    monkeypatch.setattr(tokexp.stages.prepare, "train", committing)
    monkeypatch.setattr(provenance, "_git", lambda *asked: head[0] if asked[0] == "rev-parse" else "")
    provenance.git_state.cache_clear()
    request.addfinalizer(provenance.git_state.cache_clear)
    assert run_experiment(settings(text_file), tmp_path / "one").provenance.git_commit == "before"
    assert head == ["after"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": "tf32"}, "precision: got tf32 on cpu"),
        ({"train": TrainConfig(batch_size=4, cuda_graph="always")}, "train.cuda_graph: got always"),
    ],
)
def test_what_a_cpu_has_not_is_refused(text_file: Path, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_experiment(settings(text_file, device="cpu", **changes), tmp_path / "one")
    assert not (tmp_path / "one/result.json").exists()


def test_memory_is_that_of_the_run(text_file: Path, tmp_path: Path) -> None:
    """Not of what the process had held before."""
    ballast = np.ones(200_000_000, dtype=np.uint8)
    high = peak_memory(torch.device("cpu"))
    del ballast
    run_experiment(settings(text_file), tmp_path / "one")
    assert [row.peak_memory for row in load_metrics(tmp_path / "one") if isinstance(row, EvalRow)][-1] < high - 100e6


def test_content_adds_up_to_the_total(run: tuple[RunConfig, Path, RunResult]) -> None:
    """Attributed with the weights at the end, which the total is of, not the best ones."""
    _, folder, result = run
    rows = [json.loads(line) for line in (folder / "content.jsonl").read_text().splitlines()]
    for partition in ("place", "context"):
        own = [row for row in rows if row["partition"] == partition]
        assert sum(row["bytes"] for row in own) == result.scores.val_bytes
        assert sum(row["bits"] for row in own) / result.scores.val_bytes == pytest.approx(result.val_bpb, rel=1e-6)


def test_all_segmentations_where_there_is_a_choice(run: tuple[RunConfig, Path, RunResult]) -> None:
    result = run[2]
    if result.tokenizer.kind in ("bpe", "bpe_fallback", "sp_unigram"):
        assert result.marginal_gain_bpb is not None
        assert 0 <= result.marginal_gain_bpb < result.val_bpb
    else:
        assert result.marginal_gain_bpb is result.marginal_gain_error is None


def test_counts_of_its_own_tokens_are_beside_it(run: tuple[RunConfig, Path, RunResult]) -> None:
    _, folder, result = run
    counts = json.loads((folder / "counts.json").read_text())
    assert (result.counts.ngram_order, result.counts.ngram_bpb) == (counts["order"], counts["bpb"])
    n_bytes = result.test.test_bytes or result.scores.val_bytes
    assert sum(counts["nats"]) / (np.log(2) * n_bytes) == pytest.approx(counts["bpb"])


def test_the_text_in_a_step_is_written_down(text_file: Path, tmp_path: Path) -> None:
    cfg = settings(text_file, "bpe")
    cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, batch_bytes=600))
    result = run_experiment(cfg, tmp_path)
    train = load_corpus(cfg.data).train.text
    bytes_per_token = len(train.encode()) / len(load_tokenizer(tmp_path / "tokenizer.json").encode(train))
    assert result.batch_size == round(600 / (result.model.block_size * bytes_per_token))
    assert result.cost.bytes_seen / result.cost.steps == pytest.approx(600, rel=0.2)
    assert result.identity.settings["train.batch_bytes"] == 600
    assert "train.batch_size" not in result.identity.settings
    saved, corpus = load_run(tmp_path).config, load_corpus(cfg.data)
    assert config_hash(saved, corpus, "float32") == config_hash(cfg, corpus, "float32") == result.identity.config_hash


def test_sizes_that_follow_are_written_down(text_file: Path, tmp_path: Path) -> None:
    cfg = settings(text_file, "word", params_total=30_000)
    cfg = dataclasses.replace(cfg, data=dataclasses.replace(cfg.data, block_bytes=80))
    result = run_experiment(cfg, tmp_path)
    saved = load_run(tmp_path).config
    assert abs(result.parameters.params_total / 30_000 - 1) < 0.02
    assert saved.model.n_embd == result.model.n_embd != cfg.model.n_embd
    assert saved.model.block_size == result.model.block_size == round(80 / result_bytes_per_token(cfg))
    assert {"model.n_embd", "model.block_size"}.isdisjoint(result.identity.settings)
    assert (result.identity.settings["params_total"], result.identity.settings["data.block_bytes"]) == (30_000, 80)
    corpus = load_corpus(cfg.data)
    assert config_hash(saved, corpus, "float32") == config_hash(cfg, corpus, "float32") == result.identity.config_hash


def result_bytes_per_token(cfg: RunConfig) -> float:
    train = load_corpus(cfg.data).train.text
    return len(train.encode()) / len(train_tokenizer("word", train).encode(train))


def test_second_time_returns_the_first_result(
    run: tuple[RunConfig, Path, RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, folder, result = run
    monkeypatch.setattr(tokexp.stages.prepare, "train", lambda *_: pytest.fail("trained again"))
    assert run_experiment(cfg, folder) == result
    write_state(folder, State.RUNNING, config_hash=result.identity.config_hash)  # killed between result and end
    assert run_experiment(cfg, folder) == result
    assert read_state(folder).state is State.DONE


def test_rerun_trains_again_to_the_same_figures(text_file: Path, tmp_path: Path) -> None:
    cfg = settings(text_file, rerun=True)
    results = [json_row(run_experiment(cfg, tmp_path)) for _ in range(2)]
    different = {key for key in results[0] if results[0][key] != results[1][key]}
    assert different <= {"train_seconds", "tokens_per_second"}


def test_hash_is_of_what_changes_figures(text_file: Path, tmp_path: Path) -> None:
    cfg = settings(text_file)
    corpus = load_corpus(cfg.data)
    base = config_hash(cfg, corpus, "float32")
    same = [
        {"sweep": "other", "arm": "x", "size": "y", "rerun": True, "device": "cpu"},
        {"tracking": TrackingConfig(project="z")},
        {"train": dataclasses.replace(cfg.train, compile="never")},
    ]
    for change in same:
        assert config_hash(dataclasses.replace(cfg, **change), corpus, "float32") == base
    others = [
        {"seed": 1},
        {"budget": BudgetConfig(steps=26)},
        {"train": dataclasses.replace(cfg.train, lr=2e-2)},
        {"model": dataclasses.replace(cfg.model, n_layer=2)},
        {"tokenizer": TokenizerConfig(kind="bpe", vocab_size=301)},
        {"sample": dataclasses.replace(cfg.sample, temperature=1.0)},
    ]
    hashes = {config_hash(dataclasses.replace(cfg, **change), corpus, "float32") for change in others}
    assert len(hashes | {base}) == len(others) + 1
    assert config_hash(cfg, corpus, "bf16") != base
    copy = tmp_path / "elsewhere.txt"
    copy.write_bytes(text_file.read_bytes())
    moved = load_corpus(DataConfig(name="text", path=str(copy)))
    assert config_hash(cfg, moved, "float32") == base, "the text counts, not where it lies"


def test_config_survives_its_yaml(run: tuple[RunConfig, Path, RunResult]) -> None:
    cfg, folder, _ = run
    assert from_dict(to_dict(cfg)) == cfg
    assert load_run(folder).config == cfg


def test_a_failed_run_says_why_and_leaves_no_result(text_file: Path, tmp_path: Path) -> None:
    cfg = settings(text_file, train=TrainConfig(lr=1e30, min_lr=0, warmup_steps=0, eval_every=50))
    with pytest.raises(DivergedError):
        run_experiment(cfg, tmp_path)
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["state"] == "diverged"
    assert "smaller train.lr" in status["reason"]
    assert "DivergedError" in (tmp_path / "run.log").read_text()
    assert not (tmp_path / "result.json").exists()


def test_two_processes_do_not_share_a_folder(text_file: Path, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is at work"):
            run_experiment(settings(text_file), tmp_path)


def test_needs_neither_hydra_nor_wandb(text_file: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('hydra', 'omegaconf', 'wandb'): sys.modules[name] = None\n"
        "from tokexp.config import *\n"
        "from tokexp.experiment import run_experiment\n"
        f"cfg = RunConfig(data=DataConfig(name='text', path={str(text_file)!r}), "
        "tokenizer=TokenizerConfig(kind='char'), budget=BudgetConfig(steps=2), "
        "model=ModelConfig(n_embd=8, n_head=1, n_layer=1), sample=SampleConfig(tokens=5, count=0))\n"
        f"print(run_experiment(cfg, {str(tmp_path / 'run')!r}).val_bpb)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 10
