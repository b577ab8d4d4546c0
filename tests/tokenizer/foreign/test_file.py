"""A tokenizer of your own: read from each format, and checked."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import tiktoken
import tokenizers
from nasty import TRICKY

from tokexp.config import InputError
from tokexp.data.part import Part
from tokexp.encoding.encode import encode_part
from tokexp.scoring.restoration import restoration_cost
from tokexp.tokenizer import load_tokenizer, train_tokenizer
from tokexp.tokenizer.split import PATTERNS


def foreign_files(folder: Path, text: str) -> dict[str, tuple[Path, bool]]:
    """A file of each foreign format, and whether it is lossless."""
    files = {}
    for name, kind, lossless in (("level.json", "hf_bpe", True), ("piece.json", "hf_wordpiece", False)):
        files[name] = (folder / name, lossless)
        files[name][0].write_text(json.dumps(train_tokenizer(kind, text, vocab_size=330).to_json()["library"]))
    model = io.BytesIO()
    lines = iter(text.split("\n"))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    files["mine.model"] = (folder / "mine.model", False)
    files["mine.model"][0].write_bytes(model.getvalue())
    ours = train_tokenizer("bpe", text, vocab_size=400, pattern="gpt4")
    ranks = [f"{base64.b64encode(piece).decode()} {i}" for i, piece in enumerate(ours.token_bytes()[4:])]
    files["mine.tiktoken"] = (folder / "mine.tiktoken", True)
    files["mine.tiktoken"][0].write_text("\n".join(ranks))
    return files


def test_a_tokenizer_of_your_own_is_read_and_checked(text: str, tmp_path: Path) -> None:
    for name, (path, lossless) in foreign_files(tmp_path, text).items():
        tokenizer = train_tokenizer("file", text, path=str(path))
        assert tokenizer.lossless == lossless, name
        assert tokenizer.trained_on == "external"
        ids, spans = tokenizer.encode_with_spans(text)
        assert (spans[0][0], spans[-1][1]) == (0, len(text.encode()))
        assert (tokenizer.decode(ids) == text) == lossless
        assert restoration_cost(tokenizer, Part.of_text(text), Part.of_text(text[:3000])).total < 3000
        tokenizer.save(tmp_path / "saved.json")
        path.unlink()
        assert load_tokenizer(tmp_path / "saved.json").encode(text) == ids, "the run folder needs no file of yours"


def test_tiktoken_ranks_are_read_as_tiktoken_reads_them(text: str, tmp_path: Path) -> None:
    path, _ = foreign_files(tmp_path, text)["mine.tiktoken"]
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in path.read_text().splitlines())}
    theirs = tiktoken.Encoding("x", pat_str=PATTERNS["gpt4"][0], mergeable_ranks=ranks, special_tokens={})
    assert train_tokenizer("file", "", path=str(path)).encode(text + TRICKY) == theirs.encode_ordinary(text + TRICKY)


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\x00\x01nonsense")
    with pytest.raises(InputError, match=r"x\.bin: got a file of no known format"):
        train_tokenizer("file", "", path=str(tmp_path / "x.bin"))
    with pytest.raises(InputError, match=r"needs tokenizer\.path"):
        train_tokenizer("file", "")


def test_what_ends_a_document_is_what_the_file_says(text: str, tmp_path: Path) -> None:
    """And no token that a text may have: where there is none, documents are refused."""
    documents = Part.of_texts(["the king\n", "of my lord", "né"])
    for name, (path, _) in foreign_files(tmp_path, text).items():
        tokenizer = train_tokenizer("file", text, path=str(path))
        tokenizer.save(tmp_path / "saved.json")
        assert load_tokenizer(tmp_path / "saved.json").eos_id == tokenizer.eos_id
        if name != "mine.model":
            assert tokenizer.eos_id is None, name
            with pytest.raises(InputError, match="kind 'file': its vocabulary has no special token"):
                encode_part(tokenizer, documents)
            continue
        assert tokenizer.eos_id == 2 == sentencepiece.SentencePieceProcessor(model_file=str(path)).eos_id()
        stream = encode_part(tokenizer, documents)
        assert np.bincount(stream.document_of, weights=stream.lengths).tolist() == [9, 10, 3]


def test_hugging_faces_names_of_an_end(tmp_path: Path) -> None:
    def eos_id(specials: list[str], vocab: list[str]) -> int | None:
        library = tokenizers.Tokenizer(tokenizers.models.WordLevel({v: i for i, v in enumerate(vocab)}, "[UNK]"))
        library.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        library.add_special_tokens(specials)
        library.save(str(tmp_path / "x.json"))
        return train_tokenizer("file", "", path=str(tmp_path / "x.json")).eos_id

    assert eos_id(["[UNK]", "[SEP]"], ["the", "[SEP]", "[UNK]"]) == 1
    assert eos_id(["</s>", "<|endoftext|>"], ["</s>", "the", "[UNK]", "<|endoftext|>"]) == 3
    assert eos_id([], ["</s>", "the", "[UNK]"]) is None, "a word like any other"
    assert eos_id(["[UNK]"], ["a", "b", "c", "d", "[UNK]"]) is None


def test_an_end_that_a_text_has_is_refused(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "</s>": 1, "[UNK]": 2}, "[UNK]"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    library.add_special_tokens(["</s>"])
    library.save(str(tmp_path / "x.json"))
    tokenizer = train_tokenizer("file", "the the", path=str(tmp_path / "x.json"))
    assert len(encode_part(tokenizer, Part.of_texts(["the the", "the"]))) == 5
    with pytest.raises(InputError, match="got its end-of-text token, id 1, from the text of a document") as caught:
        encode_part(tokenizer, Part.of_texts(["the </s> the", "the"]))
    assert "\n" not in str(caught.value)
    assert len(encode_part(tokenizer, Part.of_text("the </s> the"))) == 3, "in a single text it ends nothing"
