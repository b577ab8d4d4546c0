"""A corpus of documents: which part each belongs to, whatever files they come from, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tokexp.config import DataConfig, InputError
from tokexp.data.corpus import Corpus, load_corpus
from tokexp.data.documents import draw
from tokexp.system import places

WORDS = ["the", "king", "of", "my", "good", "lord", "shall", "not", "be", "here", "né", "日本"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path / "kept")


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [f"Document {seed}.{i}: " + " ".join(rng.choices(WORDS, k=rng.randint(2, 40))) + "\n" for i in range(count)]


def as_folder(folder: Path, documents: list[str]) -> Path:
    folder.mkdir()
    for i, text in enumerate(documents):
        (folder / f"{i:03}.txt").write_text(text, newline="")
    return folder


def as_lines(file: Path, documents: list[str] | list[dict[str, Any]]) -> Path:
    records = [{"text": each, "id": f"d{i}"} if isinstance(each, str) else each for i, each in enumerate(documents)]
    raw = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    file.write_bytes(gzip.compress(raw) if file.suffix == ".gz" else raw)
    return file


def load(path: Path | None = None, name: str = "documents", **settings: Any) -> Corpus:
    return load_corpus(DataConfig(name=name, path=None if path is None else str(path), **settings))


def parts_of(corpus: Corpus) -> list[set[str]]:
    parts = [corpus.train, corpus.val, *([corpus.test] if corpus.test else [])]
    return [set(part.documents()) for part in parts]


THIRDS = {"val_fraction": 0.2, "test_fraction": 0.2}


@pytest.mark.parametrize("split_by", ["content", "id"])
def test_neither_the_format_nor_the_order_of_the_files_matters(tmp_path: Path, split_by: str) -> None:
    """By id too, where the ids are the same: those of files are their names."""
    documents = texts(60)
    folder = load(as_folder(tmp_path / "folder", documents), **THIRDS, split_by=split_by)
    records = [{"text": text, "id": f"{i:03}.txt"} for i, text in enumerate(documents)]
    random.Random(1).shuffle(records)
    lines = load(as_lines(tmp_path / "all.jsonl.gz", records), **THIRDS, split_by=split_by)
    halves = [as_lines(tmp_path / f"{name}.jsonl", part) for name, part in (("b", records[:9]), ("a", records[9:]))]
    both = load_corpus(DataConfig(name="documents", path=[*map(str, halves)], **THIRDS, split_by=split_by))
    assert folder.hashes == lines.hashes == both.hashes
    assert folder.pin == lines.pin == both.pin
    assert folder.names["test"] == lines.names["test"] == both.names["test"], "of the part that ranks"
    assert len(folder.hashes) == 3
    assert list(folder.train.documents()) == list(lines.train.documents()), "in the same order too"
    train, val, test = parts_of(folder)
    assert train | val | test == set(documents)
    assert len(train) + len(val) + len(test) == 60
    assert 4 <= len(val) <= 20
    assert 4 <= len(test) <= 20
    assert all(part.separated for part in (folder.train, folder.val))


def test_the_parts_are_drawn_and_are_not_the_first_ones(tmp_path: Path) -> None:
    got = load(as_lines(tmp_path / "a.jsonl", texts(200)), val_fraction=0.3)
    places = sorted(int(name[1:]) for name in got.names["val"])
    assert got.names["val"] != tuple(f"d{i}" for i in places), "nor in their order"
    assert got.test is None
    assert 30 < len(places) < 90
    assert places[0] < 40
    assert places[-1] > 160


def test_more_documents_move_none_from_one_part_to_another(tmp_path: Path) -> None:
    before = parts_of(load(as_lines(tmp_path / "a.jsonl", texts(80)), **THIRDS))
    after = parts_of(load(as_lines(tmp_path / "b.jsonl", texts(50, seed=1) + texts(80)), **THIRDS))
    for old, new in zip(before, after, strict=True):
        assert old < new
    larger = parts_of(load(tmp_path / "a.jsonl", val_fraction=0.5, test_fraction=0.2))
    assert larger[2] == before[2], "another validation part is no other test part"
    assert larger[1] > before[1]


def test_a_limit_takes_whole_documents_and_says_nothing_of_the_rest(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(100))
    whole, cut = load(path, **THIRDS), load(path, **THIRDS, val_bytes=500, test_bytes=900)
    assert whole.test is not None
    assert cut.test is not None
    for one, all_of_it, most in ((cut.val, whole.val, 500), (cut.test, whole.test, 900)):
        n = len(one)
        assert list(one.documents()) == list(all_of_it.documents())[:n]
        assert one.n_bytes <= most < all_of_it.head(one.n_bytes + 1).n_bytes + all_of_it.lengths[n]
    assert cut.train.sha256 == whole.train.sha256, "what is not read is not trained on"
    assert len(load(path, **THIRDS, val_bytes=1).val) == 1
    assert len(load(path, **THIRDS, val_bytes=1, test_bytes=1).names["test"]) == 1


def test_documents_are_held_out_by_their_ids(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(60))
    got = load(path, **THIRDS, val_ids=["d3", "d5"], test_ids=["d7"])
    train, val, test = parts_of(got)
    assert (val, test) == ({texts(60)[3], texts(60)[5]}, {texts(60)[7]})
    assert len(train) == 57, "no other is drawn"
    assert got.names["test"] == ("d7",)


def test_the_other_part_is_drawn_from_the_rest(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(60))
    drawn = parts_of(load(path, val_fraction=0.3))[1]
    id_of = {text: f"d{i}" for i, text in enumerate(texts(60))}
    chosen = min(drawn)
    _, val, test = parts_of(load(path, val_fraction=0.3, test_fraction=0.2, test_ids=[id_of[chosen]]))
    assert (val, test) == (drawn - {chosen}, {chosen}), "a share of the test part counts no longer"
    whole = parts_of(load(path, **THIRDS))
    _, val, test = parts_of(load(path, **THIRDS, val_ids=[id_of[min(whole[0])]]))
    assert (val, test) == ({min(whole[0])}, whole[2])


def test_of_few_documents_one_at_least_validates(tmp_path: Path) -> None:
    few = as_lines(tmp_path / "a.jsonl", texts(4))
    folds = [parts_of(load(few, val_fraction=1e-6, test_ids=[f"d{i}"])) for i in range(4)]
    assert [list(map(len, fold)) for fold in folds] == [[2, 1, 1]] * 4
    with pytest.raises(InputError, match="the training part has no documents"):
        load(as_lines(tmp_path / "b.jsonl", texts(2)), test_ids=["d0"])


def test_all_documents_are_told_by_one_hash_whatever_their_parts(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(30))
    shuffled = as_lines(tmp_path / "b.jsonl", texts(30)[::-1])
    one, other = load(path, test_ids=["d0"]), load(shuffled, **THIRDS)
    assert one.pin != other.pin
    assert one.documents_sha256 == other.documents_sha256
    assert one.documents_sha256 != load(as_lines(tmp_path / "c.jsonl", texts(29)), **THIRDS).documents_sha256


def test_unknown_ids_are_refused_with_those_that_there_are(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(12))
    known = ", ".join(f"d{i}" for i in range(10))
    message = rf"^data\.val_ids: got the id 'hamlet', expected ids among {known} and 2 more$"
    with pytest.raises(InputError, match=message):
        load(path, val_ids=["d1", "hamlet"])
    with pytest.raises(InputError, match=r"^data\.test_ids: got the id 'd9', expected ids among d0, d1, d2$"):
        load(as_lines(tmp_path / "b.jsonl", texts(3)), test_ids=["d9"])


def test_parts_given_apart(tmp_path: Path) -> None:
    train, val, test = texts(9, 1), texts(4, 2), texts(3, 3)
    paths = {
        "train": as_lines(tmp_path / "train.jsonl", train),
        "val": as_folder(tmp_path / "val", val),
        "test": as_lines(tmp_path / "test.jsonl.gz", test),
    }
    given = {name: str(path) for name, path in paths.items()}
    assert parts_of(load(**given)) == [set(train), set(val), set(test)]
    assert load(**given).name == "train"
    two = load(paths["train"], val=given["val"])
    assert (parts_of(two), two.scored_on) == ([set(train), set(val)], "val"), "data.path is then all for training"
    assert load(paths["train"], val=given["val"], val_bytes=1).val.n_bytes < two.val.n_bytes


def test_parts_named_by_a_field(tmp_path: Path) -> None:
    names = ["train", "Training", "validation", "val", "dev", "test", "train"]
    records = [{"text": text, "part": name} for text, name in zip(texts(7), names, strict=True)]
    got = parts_of(load(as_lines(tmp_path / "a.jsonl", records), split_field="part"))
    every = texts(7)
    assert got == [{every[0], every[1], every[6]}, {every[2], every[3], every[4]}, {every[5]}]
    assert len(parts_of(load(as_lines(tmp_path / "b.jsonl", records[:5]), split_field="part"))) == 2, "no test part"
    with pytest.raises(InputError, match=r"c\.jsonl, line 2: got the part 'held', expected one of train, training"):
        load(as_lines(tmp_path / "c.jsonl", [records[0], {"text": "x", "part": "held"}]), split_field="part")
    with pytest.raises(InputError, match=r"the validation part has no documents, of 2 in all"):
        load(as_lines(tmp_path / "d.jsonl", [records[0], records[5]]), split_field="part")


def bilingual(folder: Path, pages: int = 80) -> Path:
    """The same pages in two languages, of which one lacks some, in another order."""
    folder.mkdir()
    english = [{"text": f"Page {i} of many.\nAnd on.\n", "id": f"page-{i}"} for i in range(pages)]
    german = [{"text": f"Seite {i} von vielen.\nUnd so fort.\n", "id": f"page-{i}"} for i in range(pages)]
    random.Random(0).shuffle(german)
    as_lines(folder / "en-US.jsonl.gz", english)
    as_lines(folder / "de.jsonl", german[:-5])
    return folder


PARALLEL = {"name": "parallel", "split_by": "id", "val_bytes": None, "test_bytes": None, **THIRDS}


def ids_of(folder: Path, language: Any) -> list[set[str]]:
    cfg = DataConfig(path=str(folder), language=language, **PARALLEL)  # type: ignore[arg-type]
    drawn = draw(cfg)
    return [set(drawn.names(documents)) for documents in (drawn.train, drawn.val, drawn.test)]


def test_the_same_pages_are_held_out_in_every_language(tmp_path: Path) -> None:
    folder = bilingual(tmp_path / "parallel")
    english, german, both = (ids_of(folder, each) for each in ("en-US", "de", ["en-US", "de"]))
    for one, other, of_both in zip(english, german, both, strict=True):
        assert other <= one
        assert len(one - other) <= 5
        assert len(other) > 3
        assert of_both == one
    corpus = load(folder, **PARALLEL, language=["en-US", "de"])
    assert (corpus.name, corpus.language) == ("parallel", "en-US+de")
    test = set(corpus.scored.documents())
    assert len(test) == len(english[2]) + len(german[2])
    assert test == {f"Page {i.removeprefix('page-')} of many.\nAnd on.\n" for i in english[2]} | {
        f"Seite {i.removeprefix('page-')} von vielen.\nUnd so fort.\n" for i in german[2]
    }
    assert {name: set(part.documents()) for name, part in corpus.held_out.items()} == {
        language: {text for text in test if text.startswith(begin)}
        for language, begin in (("en-US", "Page"), ("de", "Seite"))
    }, "each language is scored apart too"
    shared = [page for page in corpus.names["en-US"] if page in german[2]]
    assert shared == list(corpus.names["de"]), "page by page, in one order"
    by_content = ids_of_content(folder)
    assert by_content != english[2], "not so where the text decides"


def ids_of_content(folder: Path) -> set[str]:
    cfg = DataConfig(name="parallel", path=str(folder), language="de", **THIRDS)  # type: ignore[arg-type]
    drawn = draw(cfg)
    return set(drawn.names(drawn.test))


def test_the_languages_are_looked_for_in_tokexp_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bilingual(tmp_path / "parallel")
    monkeypatch.setenv("TOKEXP_DATA", str(tmp_path))
    got = load(**PARALLEL, language="de")
    assert (got.hashes, got.language) == (load(folder, **PARALLEL, language="de").hashes, "de")
    with pytest.raises(InputError, match=r"data\.language: got 'fr', expected one of de, en-US$"):
        load(**PARALLEL, language=["de", "fr"])
    monkeypatch.setenv("TOKEXP_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"found no LANGUAGE\.jsonl\.gz in .*; set TOKEXP_DATA to the folder"):
        load(**PARALLEL)


def test_held_out_documents_that_are_trained_on_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train, val = texts(30), texts(9, 1)
    val[3:3] = train[5:7]
    paths = {"train": as_lines(tmp_path / "t.jsonl", train), "val": as_folder(tmp_path / "v", val)}
    got = load(**{name: str(path) for name, path in paths.items()})
    assert got.seen == 2
    (line,) = [line for line in caplog.messages if "word for word" in line]
    assert "corpus t: the training part has held-out documents word for word" in line
    assert sorted(line.split(": ")[-1].split(", ")) == ["003.txt", "004.txt"]
    caplog.clear()
    many = as_lines(tmp_path / "many.jsonl", train[:8])
    assert load(train=str(paths["train"]), val=str(many)).seen == 8
    assert caplog.messages[0].endswith(" and 3 more")
    assert caplog.messages[0].count("d") > 5


def test_the_same_document_twice_is_in_one_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Drawn by content they cannot be parted; drawn by id they can be, which is said."""
    documents = texts(30) * 2
    path = as_lines(tmp_path / "a.jsonl", documents)
    got = load(path, **THIRDS)
    assert (got.seen, caplog.messages) == (0, [])
    assert len(got.train) == 2 * len(set(got.train.documents()))
    assert load(path, **THIRDS, split_by="id").seen > 0
    assert "word for word" in caplog.text


def test_bad_records_are_counted_where_they_may_be_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(40))
    lines = path.read_bytes().splitlines()
    lines[4:4] = [b'{"text": 7}', b"{broken", b'{"text": ""}']
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=r"a\.jsonl, line 5: "):
        load(path, **THIRDS)
    assert not [kept for kept in (tmp_path / "kept/cache").iterdir() if kept.is_dir()]
    for _ in range(2):  # read, and as it was kept
        caplog.clear()
        got = load(path, **THIRDS, skip_bad=True, sha256=None)
        assert got.skipped == 3
        assert "".join(caplog.messages).count("3 records left out, the first of them ") == 1
        assert "a.jsonl, line 5" in caplog.text
        assert len(got.train) + len(got.val) + len(got.test or []) == 40
        load_corpus.__globals__["_load_corpus"].cache_clear()


@pytest.mark.parametrize(
    ("documents", "settings", "message"),
    [
        (["one", "two"], {"val_fraction": 1e-9}, "the validation part has no documents, of 2 in all"),
        (["one", "two"], {"val_fraction": 0.9999999}, "the training part has no documents, of 2 in all"),
        (["one", "two"], {"val_fraction": 0.9, "test_fraction": 1e-9}, "has no documents, of 2 in all"),
        ([" \n", "\t"], {"val_fraction": 0.5}, "has no documents|is only white space"),
        ([], {}, "got no documents"),
    ],
)
def test_empty_parts_are_refused_in_a_line(
    tmp_path: Path, documents: list[str], settings: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(as_lines(tmp_path / "a.jsonl", documents), **settings)
    assert "\n" not in str(caught.value)


def test_white_space_alone_is_no_part(tmp_path: Path) -> None:
    good, blank = as_lines(tmp_path / "a.jsonl", texts(3)), as_lines(tmp_path / "b.jsonl", ["\n", "  "])
    for given, called in (({"train": blank, "val": good}, "training"), ({"train": good, "val": blank}, "validation")):
        settings = {name: str(path) for name, path in given.items()}
        with pytest.raises(InputError, match=rf"the {called} part \(.*b\.jsonl\) is only white space, of .* in all"):
            load(**settings)


def test_a_pinned_corpus_is_that_one(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(50))
    pin = load(path, **THIRDS).pin
    assert load(path, **THIRDS, sha256=pin).pin == pin
    with pytest.raises(InputError, match=rf"corpus a: got SHA-256 .*, expected {pin} \(data\.sha256\)"):
        load(path, val_fraction=0.3, test_fraction=0.2, sha256=pin)
    as_lines(path, texts(51))
    with pytest.raises(InputError, match="the text has changed since the sweep began"):
        load(path, **THIRDS, sha256=pin)


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(50))
    first = load(path, **THIRDS)
    assert load(path, **THIRDS) is first, "the runs of a sweep share it"
    changed = texts(50)
    changed[7] = changed[7].replace("Document", "dOCUMENT")
    as_lines(path, changed)
    os.utime(path, ns=(7, 7))
    again = load(path, **THIRDS)
    assert again.pin != first.pin
    assert {text for part in parts_of(again) for text in part} == set(changed)


def test_the_store_is_read_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_lines(tmp_path / "a.jsonl", texts(50))
    first = load(path, **THIRDS)
    monkeypatch.setattr("tokexp.data.documents.read_documents", lambda *_: pytest.fail("read again"))
    larger = load(path, val_fraction=0.4, test_fraction=0.2)
    assert larger.val.n_bytes > first.val.n_bytes, "another split reads no file anew"


def test_further_held_out_documents(tmp_path: Path) -> None:
    path, news = as_lines(tmp_path / "a.jsonl", texts(40)), as_folder(tmp_path / "news", texts(8, 5))
    got = load(path, **THIRDS, held_out={"news": str(news)}, test_bytes=300)
    part = got.held_out["news"]
    assert part.separated
    assert set(part.documents()) < set(texts(8, 5))
    assert 0 < part.n_bytes <= 300
    assert got.hashes["held_out.news"] == part.sha256
    assert got.pin != load(path, **THIRDS, test_bytes=300).pin


def test_what_the_corpus_is_called_and_what_it_is_told_by(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "plays.jsonl", texts(40))
    got = load(path, **THIRDS)
    assert got.name == "plays"
    assert got.sha256 == got.pin
    assert (got.scored, got.scored_on) == (got.test, "test")
    assert got.measured.val is got.test
    assert len(got.names[got.scored_on]) == len(got.scored)
    store = dict(zip((f"d{i}" for i in range(40)), texts(40), strict=True))
    assert [store[name] for name in got.names[got.scored_on]] == list(got.scored.documents()), (
        "names are those of the documents"
    )
    with pytest.raises(InputError, match=r"data=documents needs data\.path"):
        load()
