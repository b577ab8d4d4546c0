"""Runs on documents from end to end: every byte and every nat of a held-out text is in one of its documents.

Of every kind of tokenizer the sums over documents are those over the text; a run is ranked on its test part, and the
order of the files that documents come from moves no figure.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from corpora import documents_of
from safetensors.torch import load_file
from test_byte_accounting import Unlike, settings
from test_experiment import settings as run_settings

from tokexp.config import DataConfig, InputError, RunConfig
from tokexp.data.corpus import Corpus, load_corpus
from tokexp.encoding.prepare import prepare
from tokexp.experiment import run_experiment
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.runs.files import load_metrics
from tokexp.runs.result import RunResult, json_row, load_result
from tokexp.scoring import units
from tokexp.scoring.bits_per_byte import token_nats
from tokexp.scoring.evaluator import EndScores, Evaluator
from tokexp.scoring.target import Target, make_targets
from tokexp.system import places
from tokexp.tokenizer import load_tokenizer
from tokexp.tokenizer.base import EOS
from tokexp.training.record import EvalRow

KINDS = ["byte", "char", "word", "word_cased", "bpe", "bpe_classic", "hf_wordpiece", "sp_bpe"]
LN2 = math.log(2)


@pytest.fixture(scope="session")
def pages(text: str) -> list[str]:
    """Some forty documents of two lines or more, some awkward, with ends of several sorts."""
    speeches = text.split("\n\n")
    rng, ends = random.Random(0), ("\n", "", " \n", "\n\n")
    made = [f"Page {i}.\n{speeches[i]}\n{rng.choice(speeches)}{ends[i % 4]}" for i in range(36)]
    return [*made, "Déjà  vu, 日本語 👩‍👩‍👧 THE KING's  \n", "the king", "Xylophone\n\n\n", " \n a"]


@pytest.fixture(scope="session")
def corpus(pages: list[str]) -> Corpus:
    return documents_of(pages[:24], pages[24:30], pages[30:])


def scored(kind: str, corpus: Corpus, eval_bytes: int | None = None) -> tuple[dict[str, Target], GPT, int, EndScores]:
    """The scores of a model that charges each token by its id."""
    prepared = prepare(kind, settings(kind), corpus, eval_bytes=eval_bytes)
    targets = make_targets(prepared, corpus)
    model = Unlike(GPTConfig(vocab_size=prepared.tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8))
    evaluator = Evaluator(model, prepared.data, targets, eval_bytes)
    evaluator()
    return targets, model, prepared.data.context_id, evaluator.final_scores({})


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_and_every_nat_is_in_one_document(kind: str, corpus: Corpus) -> None:
    assert corpus.test is not None
    targets, model, before, scores = scored(kind, corpus)
    assert [text.name for text in scores.texts] == ["test", "val"], "what is ranked first"
    for text, part in zip(scores.texts, (corpus.test, corpus.val), strict=True):
        target, documents = targets[text.name], list(part.documents())
        raw_bytes = [len(document.encode()) for document in documents]
        assert target.stream.n_bytes == sum(text.bytes) == part.n_bytes == sum(raw_bytes)
        assert (text.bytes, text.units, text.sha256) == (raw_bytes, "documents", part.sha256)
        assert text.lines == [document.count("\n") for document in documents]
        assert sum(text.tokens) == len(target.stream)
        nats = token_nats(model, before, target.stream.ids)
        total = nats + target.restoration.sum(axis=1) * LN2
        ends = np.flatnonzero(target.stream.ids == target.stream.separator) + 1
        each = [stretch.sum() for stretch in np.split(total, ends)[:-1]]
        assert text.nats == pytest.approx(each)
        assert sum(text.nats) == pytest.approx(total.sum())
        assert text.bpb == pytest.approx(total.sum() / (LN2 * part.n_bytes))
        assert text.bpb_naive == pytest.approx(nats.sum() / (LN2 * part.n_bytes))
    assert scores.test.test_bpb == pytest.approx(scores.texts[0].bpb)
    assert scores.val.val_bpb == pytest.approx(scores.texts[1].bpb)
    assert (scores.test.test_bytes, scores.test.test_documents) == (corpus.test.n_bytes, len(corpus.test))
    assert (scores.val.val_bytes, scores.val.val_bpb_sliding) == (corpus.val.n_bytes, None)
    assert scores.test.test_bpb_sliding == pytest.approx(scores.test.test_bpb), "this model looks at no context"
    assert (scores.test.test_bpb_restoration > 0) == (kind in ("word", "bpe_classic", "hf_wordpiece", "char"))  # type: ignore[operator]


def test_of_many_documents_neighbours_are_counted_together(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, each = scored("word", corpus)
    monkeypatch.setattr(units, "MOST_UNITS", 4)
    *_, few = scored("word", corpus)
    one, other = each.texts[0], few.texts[0]
    assert (len(one.nats), len(other.nats)) == (10, 4)
    borders = [0, 3, 5, 8]  # 10 documents in 4 units
    for name in ("nats", "bytes", "tokens", "lines"):
        sums = np.add.reduceat(np.array(getattr(one, name)), borders)
        assert getattr(other, name) == pytest.approx(sums.tolist()), name
    assert other.bpb == one.bpb
    assert other.names == []


def test_evaluations_read_the_beginning_and_the_end_all_of_it(corpus: Corpus) -> None:
    most = int(corpus.val.lengths[:2].sum()) + 5
    targets, model, before, scores = scored("bpe", corpus, most)
    *_, whole = scored("bpe", corpus)
    assert scores.val.eval_bytes == corpus.val.lengths[:2].sum()
    assert scores.val.val_bpb == pytest.approx(whole.val.val_bpb)
    assert scores.val.val_loss == pytest.approx(whole.val.val_loss)
    assert scores.val.val_bytes == corpus.val.n_bytes
    first = targets["val"].head(most)
    assert (first.text.n_bytes, len(first.text)) == (first.stream.n_bytes, 2)
    nats = token_nats(model, before, first.stream.ids).mean()
    assert scores.val.best_val_loss == pytest.approx(nats), "of what evaluations read"
    assert scores.val.best_val_bpb == pytest.approx(scores.val.val_bpb), "the only checkpoint, on all of it"


def test_the_best_checkpoint_is_chosen_on_val_and_scored_on_test(corpus: Corpus) -> None:
    """Of a training that ends worse than it was; the model has its last weights afterwards."""
    prepared = prepare("bpe", settings("bpe"), corpus)
    targets = make_targets(prepared, corpus)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=prepared.tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8))
    evaluator = Evaluator(model, prepared.data, targets, None)
    before = prepared.data.context_id
    good = {name: token_nats(model, before, target.stream.ids).sum() for name, target in targets.items()}
    evaluator()
    torch.nn.init.normal_(model.lm_head.weight, std=3)
    bad = {name: token_nats(model, before, target.stream.ids).sum() for name, target in targets.items()}
    evaluator()
    scores, end = evaluator.final_scores({}), model.lm_head.weight.clone()
    assert (bad["val"] > 1.1 * good["val"], bad["test"] > 1.1 * good["test"]) == (True, True)
    assert scores.test.test_bpb == pytest.approx(targets["test"].bits_per_byte(bad["test"]))
    assert scores.test.best_test_bpb == pytest.approx(targets["test"].bits_per_byte(good["test"]))
    assert scores.val.val_bpb == pytest.approx(targets["val"].bits_per_byte(bad["val"]))
    assert scores.val.best_val_bpb == pytest.approx(targets["val"].bits_per_byte(good["val"]))
    assert scores.val.best_val_bpb_crossfit is None, "nothing is chosen on the text that ranks"
    assert torch.equal(model.lm_head.weight, end)


# A run from end to end.


def lines(folder: Path, pages: list[str], files: int, seed: int) -> Path:
    """The same documents in other files and another order."""
    folder.mkdir()
    records = [json.dumps({"text": page, "id": f"page-{i}"}) + "\n" for i, page in enumerate(pages)]
    random.Random(seed).shuffle(records)
    for i in range(files):
        (folder / f"{i}.jsonl").write_text("".join(records[i::files]))
    return folder


def config(path: Path, kind: str, **data: Any) -> RunConfig:
    cfg = run_settings(path, kind)
    return dataclasses.replace(
        cfg, data=DataConfig(name="documents", path=str(path), val_fraction=0.25, test_fraction=0.25, **data)
    )


@pytest.fixture(scope="module")
def run(pages: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path, RunResult]:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "letters.txt").write_text("My good lord,\nthe king is not here.\n")
    further = {"letters": str(folder / "letters.txt")}
    cfg = config(lines(folder / "pages", pages, 3, 0), "word", held_out=further)
    return cfg, folder / "run", run_experiment(cfg, folder / "run")


def test_a_run_is_ranked_on_its_test_part(run: tuple[RunConfig, Path, RunResult]) -> None:
    cfg, folder, result = run
    corpus = load_corpus(cfg.data)
    assert corpus.test is not None
    assert (result.ranked.scored_on, result.bpb) == ("test", result.test.test_bpb)
    assert result.bpb != result.scores.val_bpb
    assert (result.test.test_bytes, result.scores.val_bytes) == (corpus.test.n_bytes, corpus.val.n_bytes)
    assert (result.corpus.test_sha256, result.corpus.val_sha256) == (corpus.test.sha256, corpus.val.sha256)
    assert result.corpus.train_documents == len(corpus.train)
    assert load_result(folder) == result
    assert json.loads((folder / "result.json").read_text()) == json_row(result)


def test_its_figure_is_recomputed_from_the_files_alone(run: tuple[RunConfig, Path, RunResult]) -> None:
    """As somebody else would: <eos> before the first document and after each, one window after another."""
    cfg, folder, result = run
    corpus = load_corpus(cfg.data)
    assert corpus.test is not None
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    model = GPT(GPTConfig.of(cfg.model, tokenizer.vocab_size))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    for part, figure in ((corpus.test, result.test.test_bpb_naive), (corpus.val, result.scores.val_bpb_naive)):
        stream = [EOS]
        for document in part.documents():
            stream += [*tokenizer.encode(document), EOS]
        nats = 0.0
        for i in range(0, len(stream) - 1, 16):
            window = torch.tensor(stream[i : i + 17])
            nats += F.cross_entropy(model(window[None, :-1])[0], window[1:], reduction="sum").item()
        assert nats / LN2 / len(part.text.encode()) == pytest.approx(figure, rel=1e-5)


def test_the_checkpoint_is_chosen_on_the_validation_part(run: tuple[RunConfig, Path, RunResult]) -> None:
    """And scored on the test part with the weights that were chosen."""
    cfg, folder, result = run
    evals = [row.scores for row in load_metrics(folder) if isinstance(row, EvalRow)]
    assert result.scores.best_val_loss == min(each.val_loss for each in evals)
    assert evals[-1].val_loss == pytest.approx(result.scores.val_loss)
    corpus = load_corpus(cfg.data)
    prepared = prepare(cfg.tokenizer.kind, cfg.tokenizer.train_settings(), corpus)
    target = make_targets(prepared, corpus)["test"]
    model = GPT(GPTConfig.of(cfg.model, prepared.tokenizer.vocab_size))
    for weights, figure in (("best", result.test.best_test_bpb), ("model", result.test.test_bpb)):
        model.load_state_dict(load_file(folder / f"{weights}.safetensors"))
        nats = token_nats(model, prepared.data.context_id, target.stream.ids)
        got = target.bits_per_byte(nats.sum() + target.restoration_nats.sum())
        assert got == pytest.approx(figure, rel=1e-6), weights


def test_the_texts_of_a_run_are_whole(run: tuple[RunConfig, Path, RunResult]) -> None:
    cfg, folder, result = run
    corpus = load_corpus(cfg.data)
    rows = [json.loads(line) for line in (folder / "texts.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == ["test", "val", "letters"]
    parts = [corpus.test, corpus.val, corpus.held_out["letters"]]
    for row, part in zip(rows, parts, strict=True):
        assert part is not None
        assert row["sha256"] == part.sha256
        assert row["units"] == "documents"
        assert row["bytes"] == part.lengths.tolist()
        assert sum(row["nats"]) / (LN2 * part.n_bytes) == pytest.approx(row["bpb"])
    assert rows[0]["bpb"] == pytest.approx(result.bpb)
    assert rows[1]["bpb"] == pytest.approx(result.scores.val_bpb)
    assert rows[0]["names"] == list(corpus.names["test"])
    assert rows[1]["names"] == []
    assert sum(rows[0]["tokens"]) == result.test.test_tokens
    facts = json.loads((folder / "corpus.json").read_text())
    for row in facts["baselines"]:
        assert row["block_nats"] is None
        if row["unit_nats"] is not None:
            assert len(row["unit_nats"]) == len(rows[0]["nats"])
            assert sum(row["unit_nats"]) / (LN2 * sum(rows[0]["bytes"])) == pytest.approx(row["val_bpb"])


def test_neither_the_order_nor_the_number_of_files_moves_a_figure(
    run: tuple[RunConfig, Path, RunResult], pages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, folder, result = run
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")  # nothing is taken from the first
    moved = dataclasses.replace(cfg.data, path=str(lines(tmp_path / "moved", pages, 5, 1)))
    again = run_experiment(dataclasses.replace(cfg, data=moved), tmp_path / "run")
    assert again.identity == result.identity
    for part in ("scores", "test", "ranked", "intrinsic", "parameters"):
        assert getattr(again, part) == getattr(result, part), part
    for name in ("texts.jsonl", "content.jsonl", "samples.jsonl", "segments.jsonl", "corpus.json", "tokenizer.json"):
        one, other = ((at / name).read_bytes() for at in (folder, tmp_path / "run"))
        assert one == other, name


def test_bytes_by_class_are_those_of_the_beginning_of_the_test_part(run: tuple[RunConfig, Path, RunResult]) -> None:
    """Here all of it."""
    _, folder, result = run
    rows = [json.loads(line) for line in (folder / "content.jsonl").read_text().splitlines()]
    for partition in ("place", "context"):
        mine = [row for row in rows if row["partition"] == partition]
        assert sum(row["bytes"] for row in mine) == result.test.test_bytes
        bits = sum(row["bits"] for row in mine)
        assert bits / result.test.test_bytes == pytest.approx(result.bpb, rel=1e-6)  # type: ignore[operator]


def test_a_further_text_is_not_called_as_a_part_is(tmp_path: Path) -> None:
    for name in ("val", "test", "train"):
        with pytest.raises(InputError, match=f"data.held_out: got the name '{name}', which is a part's"):
            DataConfig(name="documents", path="x", held_out=[f"/somewhere/{name}.jsonl"])
    with pytest.raises(InputError, match=r"data\.held_out: got the name 'de', which is a language's"):
        DataConfig(name="parallel", language=["en-US", "de"], held_out={"de": "c"})
    with pytest.raises(InputError, match=r"data\.held_out: got 'a/b', expected letters"):
        DataConfig(name="documents", path="x", held_out={"a/b": "c"})
