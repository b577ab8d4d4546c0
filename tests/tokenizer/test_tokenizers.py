"""The contract of every kind, on texts that break tokenizers, and each kind against an independent reference."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import regex
import sentencepiece
import tiktoken
import tokenizers
from conftest import needs_data, settings_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nasty import NASTY

from tokexp.config import InputError
from tokexp.scoring.restoration import restoration_cost
from tokexp.speed.tokenizers import hugging_face
from tokexp.tokenizer import KINDS, Tokenizer, load_tokenizer, train_tokenizer
from tokexp.tokenizer.base import UNK, StreamingDecoder
from tokexp.tokenizer.foreign.export import export_hf, to_hf
from tokexp.tokenizer.split import PATTERNS, pieces, splitter
from tokexp.tokenizer.word import TOKEN, fold


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest, text: str, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("file")
    return train_tokenizer(request.param, text, **settings_of(request.param, folder, text))


@pytest.mark.parametrize("name", NASTY)
def test_lossless_kinds_return_the_text(tokenizer: Tokenizer, name: str) -> None:
    if tokenizer.lossless:
        assert tokenizer.decode(tokenizer.encode(NASTY[name])) == NASTY[name]


@pytest.mark.parametrize("name", NASTY)
def test_spans_tile_the_text(tokenizer: Tokenizer, name: str) -> None:
    ids, spans = tokenizer.encode_with_spans(NASTY[name])
    assert ids == tokenizer.encode(NASTY[name])
    assert len(spans) == len(ids)
    edges = [0, *(end for _, end in spans)]
    assert [start for start, _ in spans] == edges[:-1]
    assert not ids or edges[-1] == len(NASTY[name].encode())


@pytest.mark.parametrize("name", NASTY)
def test_token_bytes_are_what_is_written(tokenizer: Tokenizer, name: str) -> None:
    ids, spans = tokenizer.encode_with_spans(NASTY[name])
    raw, pieces = NASTY[name].encode(), tokenizer.token_bytes()
    if tokenizer.lossless:
        assert [pieces[i] for i in ids] == [raw[start:end] for start, end in spans]
    assert all(0 <= i < tokenizer.vocab_size for i in ids)


def test_specials_write_nothing_and_come_first_in_kinds_trained_here(tokenizer: Tokenizer) -> None:
    pieces = tokenizer.token_bytes()
    assert len(pieces) == tokenizer.vocab_size
    unwritten = [i for i, piece in enumerate(pieces) if not piece]
    if tokenizer.trained_on == "train":
        assert unwritten == [0, 1, 2, 3]
    assert set(tokenizer.never_drawn()) | {tokenizer.unk_id} >= set(unwritten)


def test_what_is_never_drawn_is_never_emitted(tokenizer: Tokenizer, text: str) -> None:
    never = set(tokenizer.never_drawn())
    for sample in (text, *NASTY.values()):
        ids = set(tokenizer.encode(sample))
        assert not ids & never - ({UNK} if tokenizer.kind == "char" else set())
        assert not tokenizer.lossless or not ids & {i for i, p in enumerate(tokenizer.token_bytes()) if not p}


def test_encoding_in_pieces_is_encoding(tokenizer: Tokenizer, text: str) -> None:
    if tokenizer.cuts_at_spaces:
        sample = text[:3000] + "".join(NASTY.values())
        stretches = list(pieces(sample, length=50))
        assert len(stretches) > 20
        assert "".join(stretches) == sample
        assert [i for stretch in stretches for i in tokenizer.encode(stretch)] == tokenizer.encode(sample)


def test_saved_and_loaded_is_equal(tokenizer: Tokenizer, text: str, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.kind == tokenizer.kind
    assert again.encode(text) == tokenizer.encode(text)
    assert again.token_bytes() == tokenizer.token_bytes()
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


def test_lone_surrogates_are_refused_by_position(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"U\+D800 at character 3"):
        tokenizer.encode("abc\ud800")


def test_file_that_is_cut_short_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="cut short"):
        load_tokenizer(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "got format version 99, expected 1"),
        ({"format": "other"}, "not a tokexp tokenizer"),
        ({"kind": "smoke"}, "expected one of byte, char, word"),
        ({"merges": ["4 99999"]}, "merge 0 joins symbols 0 and 99995, expected ones"),
        ({"merges": ["4 5", "4 5"]}, "a second time"),
        ({"merges": None}, "damaged"),
        ({"pattern": "gpt9"}, "expected one of gpt2"),
    ],
)
def test_file_of_another_kind_is_refused(text: str, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "tokenizer.json"
    train_tokenizer("bpe", text, vocab_size=300).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message) as caught:
        load_tokenizer(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given_settings", "message"),
    [
        ("smoke", {}, "got 'smoke', expected one of"),
        ("bpe", {"vocab_size": 100}, "got 100, expected at least 260"),
        ("bpe", {"vocab_size": "many"}, "got 'many', expected int for kind 'bpe'"),
        ("bpe", {"min_frequency": 2}, "kind 'bpe' has no such setting; expected vocab_size, pattern"),
        ("word", {"vocab_size": 4}, "expected at least 5"),
        ("char", {"vocab_size": 4}, "expected at least 5"),
    ],
)
def test_bad_settings_are_one_line(kind: str, given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_tokenizer(kind, "some text", **given_settings)


def test_training_does_not_depend_on_the_hash_seed(text_file: Path) -> None:
    """hf_unigram is left out: its library sums in a random order, as its docstring says."""
    code = (
        "import sys, hashlib; from tokexp.tokenizer import KINDS, train_tokenizer\n"
        "text = open(sys.argv[1], encoding='utf-8', newline='').read()\n"
        "kinds = [k for k in KINDS if k not in ('gpt2', 'file', 'hf_unigram')]\n"
        "print([hashlib.sha256(repr(train_tokenizer(k, text).to_json()).encode()).hexdigest() for k in kinds])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(text_file)],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def hf_merges(text: str, vocab_size: int) -> list[tuple[int, int]]:
    """What Hugging Face's byte-level trainer learns, as pairs of ids."""
    model = json.loads(hugging_face(text, vocab_size).to_str())["model"]
    return [(model["vocab"][left], model["vocab"][right]) for left, right in model["merges"]]


TRICKY = " ".join(NASTY.values()) + "aaaa aaa bababab abab " * 9


def code() -> str:
    """Python's own source: indentation, underscores, repeated marks."""
    return Path(json.__file__).read_text() + Path(subprocess.__file__).read_text()


def cjk(text: str) -> str:
    """A text of many characters with few repetitions."""
    return "".join(chr(0x4E00 + (ord(a) * 31 + ord(b)) % 2000) for a, b in itertools.pairwise(text)) + text


@pytest.mark.parametrize("vocab_size", [400, 6551])
@pytest.mark.parametrize("nature", ["speech", "code", "cjk"])
def test_bpe_merges_equal_hugging_face_at_every_rank(text: str, nature: str, vocab_size: int) -> None:
    sample = {"speech": text + TRICKY, "code": code(), "cjk": cjk(text)}[nature]
    assert train_tokenizer("bpe", sample, vocab_size=vocab_size).merges == hf_merges(sample, vocab_size)


def test_bpe_merges_equal_hugging_face_on_shakespeare(shakespeare: str) -> None:
    train = shakespeare[:1_003_854]
    ours = train_tokenizer("bpe", train, vocab_size=6551)
    assert ours.merges == hf_merges(train, 6551)
    assert ours.vocab_size == 6551


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
def test_bpe_ids_equal_tiktoken_with_the_same_ranks(text: str, pattern: str) -> None:
    sample = text + code()
    ours = train_tokenizer("bpe", sample, vocab_size=1000, pattern=pattern)
    ranks = {piece: rank for rank, piece in enumerate(ours.token_bytes()[4:])}
    theirs = tiktoken.Encoding("x", pat_str=PATTERNS[pattern][0], mergeable_ranks=ranks, special_tokens={})
    for each in (sample, cjk(text), *NASTY.values()):
        assert ours.encode(each) == [i + 4 for i in theirs.encode_ordinary(each)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_quick_patterns_cut_ascii_as_the_published_ones(pattern: str) -> None:
    published = regex.compile(PATTERNS[pattern][0])
    rng = random.Random(0)
    for _ in range(3000):
        sample = "".join(rng.choices("aB'sd 1 2.!\n\t\r\x0b\x1c\x1f_-", k=rng.randint(0, 12)))
        assert splitter(pattern)(sample) == published.findall(sample)


def test_merging_many_long_and_single_words_is_the_same() -> None:
    """`_many` and `_long` against `_one`, which does what the algorithm says and nothing else."""
    rng = random.Random(1)
    sample = "".join(rng.choices("ababcd ", k=4000))
    bpe = train_tokenizer("bpe", sample, vocab_size=330)
    merger = bpe._merger
    words = ["".join(chr(rng.choice([64, 65, 66, 67])) for _ in range(rng.randint(1, 40))) for _ in range(500)]
    words += ["A" * n for n in range(1, 12)]
    one = [list(map(ord, merger._one(word))) for word in words]
    assert merger._many(words) == one
    assert [merger._long(word) for word in words] == one
    long = "".join(words)
    assert merger.apply([long]) == [list(map(ord, merger._one(long)))]


@pytest.mark.parametrize("hard", ["a" * 30_000, "abcdefgh" * 4000, "the king of" * 300])
def test_long_words_equal_hugging_face(text: str, hard: str) -> None:
    ours = train_tokenizer("bpe", text, vocab_size=600)
    hf = to_hf(ours)
    assert ours.encode(hard.replace(" ", "")) == hf.encode(hard.replace(" ", "")).ids


def test_fallback_compresses_as_sentencepiece(shakespeare: str) -> None:
    train, val = shakespeare[:300_000], shakespeare[1_003_854:]
    ours, theirs = (len(train_tokenizer(k, train, vocab_size=2000).encode(val)) for k in ("bpe_fallback", "sp_bpe"))
    assert ours == pytest.approx(theirs, rel=0.01)


def test_fallback_bytes_are_only_for_what_is_unknown(text: str) -> None:
    tokenizer = train_tokenizer("bpe_fallback", text, vocab_size=330, coverage=1.0)
    fallback = set(tokenizer.fallback_ids())
    assert not fallback & set(tokenizer.encode(text))
    assert len(fallback) == 256
    assert [tokenizer.token_bytes()[i] for i in tokenizer.encode("é")] == [b"\xc3", b"\xa9"]
    assert set(tokenizer.encode("é")) <= fallback


def test_gpt2_is_the_published_one() -> None:
    needs_data("gpt2/vocab.bpe")
    gpt2 = train_tokenizer("gpt2", "")
    assert gpt2.encode("Not all heroes wear capes.") == [3673, 477, 10281, 5806, 1451, 274, 13]
    assert (gpt2.vocab_size, gpt2.trained_on) == (50_257, "external")
    assert gpt2.never_drawn() == [50_256]
    with pytest.raises(InputError, match="expected null"):
        train_tokenizer("gpt2", "", vocab_size=1000)


EXPORTED: list[tuple[str, dict[str, Any]]] = [
    ("byte", {}), ("char", {}), ("char", {"byte_fallback": True}), ("word", {}), ("bpe", {"vocab_size": 400}),
    ("bpe", {"vocab_size": 400, "pattern": "gpt4"}), ("bpe", {"vocab_size": 300, "pattern": "none"}),
    ("bpe_fallback", {"vocab_size": 400}), ("bpe_classic", {"vocab_size": 400}), ("hf_bpe", {"vocab_size": 400}),
    ("hf_wordpiece", {"vocab_size": 400}), ("gpt2", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "chosen"), EXPORTED)
def test_exported_tokenizer_gives_the_same_ids(text: str, tmp_path: Path, kind: str, chosen: dict[str, Any]) -> None:
    if kind == "gpt2":
        needs_data("gpt2/vocab.bpe")
    ours = train_tokenizer(kind, text, **chosen)
    export_hf(ours, tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.get_vocab_size() == ours.vocab_size
    for name, sample in {**NASTY, "text": text}.items():
        if (kind, name) != ("word", "case"):  # there the library's lower case makes two characters of one
            assert theirs.encode(sample, add_special_tokens=False).ids == ours.encode(sample), name


@pytest.mark.parametrize("kind", ["word_cased", "hf_unigram", "sp_bpe"])
def test_what_cannot_be_exported_says_why(text: str, kind: str) -> None:
    with pytest.raises(InputError, match=r"has no form in tokenizer\.json"):
        to_hf(train_tokenizer(kind, text, **settings_of(kind, Path(), text)))


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
        assert restoration_cost(tokenizer, text, text[:3000]).total < 3000
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


def test_streaming_holds_back_what_is_incomplete(tokenizer: Tokenizer, text: str) -> None:
    for sample in ("the king 👩‍👩‍👧‍👦 né\nof", text[:200]):
        ids = tokenizer.encode(sample)
        decoder = StreamingDecoder(tokenizer)
        parts = [decoder.feed(i) for i in ids] + [decoder.finish()]
        assert "".join(parts) == tokenizer.decode(ids)
        assert not tokenizer.lossless or "\ufffd" not in "".join(parts)


def test_decoding_half_a_character_shows_it_and_goes_on() -> None:
    byte = train_tokenizer("byte", "")
    assert byte.decode(byte.encode("é")[:1] + byte.encode("a")) == "\ufffda"
    decoder = StreamingDecoder(byte)
    assert [decoder.feed(i) for i in byte.encode("é")] == ["", "é"]
    decoder.feed(byte.encode("é")[0])
    assert decoder.finish() == "\ufffd"


@pytest.fixture(scope="module")
def lossless_kinds(text: str, tmp_path_factory: pytest.TempPathFactory) -> list[Tokenizer]:
    folder = tmp_path_factory.mktemp("lossless")
    trained = [train_tokenizer(kind, text, **settings_of(kind, folder, text)) for kind in KINDS]
    trained += [train_tokenizer("bpe", text, vocab_size=300, pattern=pattern) for pattern in ("gpt4", "none")]
    trained.append(train_tokenizer("char", text, byte_fallback=True))
    return [tokenizer for tokenizer in trained if tokenizer.lossless]


AWKWARD = ["<0x41>", "▁", "Ġ", "</w>", "<unk>", "<|endoftext|>", "\r\n", "\0", "\u200d", "  ", "e\u0301", "the ", "'s"]
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(AWKWARD)).map("".join)


def check_lossless(kinds: list[Tokenizer], sample: str) -> None:
    raw = sample.encode()
    for tokenizer in kinds:
        ids = tokenizer.encode(sample)
        written = tokenizer.token_bytes()
        assert tokenizer.decode(ids) == sample, tokenizer.kind
        assert b"".join(written[i] for i in ids) == raw, tokenizer.kind


@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(sample=TEXTS)
def test_any_text_survives_every_lossless_kind(lossless_kinds: list[Tokenizer], sample: str) -> None:
    check_lossless(lossless_kinds, sample)


@pytest.mark.slow
@settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(sample=TEXTS)
def test_any_text_survives_every_lossless_kind_at_length(lossless_kinds: list[Tokenizer], sample: str) -> None:
    check_lossless(lossless_kinds, sample)


def test_bpe_by_hand() -> None:
    """ab is seen 3 times, then (ab)c twice: 'abc' is one token, and 'abd' two."""
    bpe = train_tokenizer("bpe", "abcabc\nab", vocab_size=262)
    pieces = bpe.token_bytes()
    assert pieces[260:] == [b"ab", b"abc"]
    assert [pieces[i] for i in bpe.encode("abcabd")] == [b"abc", b"ab", b"d"]


def test_bpe_reports_its_real_size() -> None:
    assert train_tokenizer("bpe", "abab", vocab_size=5000).vocab_size == 262


def test_char_and_word_sizes_on_shakespeare(shakespeare: str) -> None:
    train = shakespeare[:1_003_854]
    assert train_tokenizer("char", train).vocab_size == 69
    assert train_tokenizer("word", train).vocab_size == 6116
    assert train_tokenizer("word", shakespeare).vocab_size == 6552
    assert train_tokenizer("word", shakespeare, vocab_size=6551).vocab_size == 6551


def test_char_keeps_the_commonest() -> None:
    char = train_tokenizer("char", "aaabbc", vocab_size=6)
    assert char.decode(char.encode("abc")) == "ab\ufffd"


def test_word_keeps_what_the_seed_kept() -> None:
    word = train_tokenizer("word", "The cat saw the Cat.\n\nthe dog")
    assert word.decode(word.encode("THE cat,\nthe dog.")) == "the cat <unk>\nthe <unk> <unk>"
    assert [word.token_bytes()[i] for i in word.encode("Cat  the")] == [b"cat", b"the"]


def test_folding_keeps_the_number_of_characters() -> None:
    assert all(len(fold(s)) == len(s) for s in NASTY.values())
    assert fold("KING") == "king"
    assert TOKEN.findall("a-b\n c") == ["a", "-", "b", "\n", "c"]
