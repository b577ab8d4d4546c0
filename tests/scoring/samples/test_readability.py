"""How samples read: each measure by hand, and what is not written by people told apart from what is."""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict

import numpy as np
import pytest
from corpora import corpus_of

from tokexp.data.corpus import Corpus
from tokexp.scoring.ngram import CharModel
from tokexp.scoring.samples import grams, readability
from tokexp.scoring.samples.readability import (
    MEASURES,
    Reader,
    band,
    distance,
    human_passages,
    paragraphs,
)
from tokexp.tokenizer.split import chunks

TRAIN = """ANNA:
The king is here, and the king is not well today.

First Lord:
What shall we do?
"""


def one(sample: str, train: str = TRAIN, val: str = "What is here? The king.") -> dict[str, float]:
    (row,) = Reader(corpus_of(train, val)).read([sample])
    assert tuple(row) == MEASURES
    return row


def split(text: str) -> Corpus:
    cut = int(len(text) * 0.9)
    return corpus_of(text[:cut], text[cut:])


def test_shares_of_words_seen() -> None:
    row = one("The KING is well, king is ill.")
    assert row["real_words"] == pytest.approx(6 / 7)  # all but "ill"
    # the king, king is | is well, well king | king is | is ill
    assert row["seen_bigrams"] == pytest.approx(3 / 6)
    assert row["seen_trigrams"] == pytest.approx(1 / 5)  # the king is


def test_copied_8grams() -> None:
    # nine words of the training text and another: three 8-grams, the first two of which it has
    row = one("the king is here and the king is not ill")
    assert row["copied_8grams"] == pytest.approx(2 / 3)
    assert math.isnan(one("the king is here and the king")["copied_8grams"])


def test_repetition_within_a_sample_alone() -> None:
    # a b c d | b c d a | c d a b | d a b c | a b c d again
    reader = Reader(corpus_of(TRAIN, "What is here?"))
    rows = reader.read(["a b c d a b c d", "a b c d", "a b c"])
    assert [row["repetition"] for row in rows[:2]] == [pytest.approx(1 / 5), 0]
    assert math.isnan(rows[2]["repetition"])


def test_distinct_words_of_the_first_200() -> None:
    row = one("a b c d " * 49 + "e f g h" + " more words that are not counted")
    assert row["distinct_1"] == pytest.approx(8 / 200)
    assert row["distinct_2"] == pytest.approx((4 + 4) / 199)  # ab bc cd da, and de ef fg gh
    assert math.isnan(one("a b " * 99 + "a")["distinct_1"])


def test_dialogue_leaves_the_cut_edges_out() -> None:
    sample = "NNA:\nYes.\n\nANNA:\nYes.\n\nNobody:\n\nA line that is no heading.\n \nFirst Lord:\nNo.\n\nANNA:\nBut"
    assert len(paragraphs(sample)) == 4
    row = one(sample)
    assert row["dialogue"] == pytest.approx(2 / 4)
    assert row["speaker_names"] == pytest.approx(2 / 3)  # not Nobody
    assert row["returning_speakers"] == 0


def test_dialogue_at_its_limits() -> None:
    assert paragraphs("a\n\nb") == ["a", "b"]
    assert one("ANNA:\nYes.")["dialogue"] == 1
    assert one("x" * 39 + ":\nYes.")["dialogue"] == 1
    assert one("x" * 40 + ":\nYes.")["dialogue"] == 0
    assert one(":\nYes.")["dialogue"] == 0
    assert one("ANNA: \r\nYes.\r\n\r\n")["dialogue"] == 1


def test_returning_speakers() -> None:
    speech = "\n\n".join(f"{name}:\nYes." for name in ["X", "ANNA", "Bob", "ANNA", "Cid", "Y"])
    assert one(speech)["returning_speakers"] == pytest.approx(2 / 4)


def test_headings_of_the_training_text_stand_at_the_head_of_a_paragraph() -> None:
    train = "A:\nWell, then I said this:\nBob:\nand so on\n\n  Cid:  \r\nYes\n\nDan:"
    for name, known in {"A": 1, "Well, then I said this": 0, "Bob": 0, "Cid": 1, "Dan": 1, "d": 0}.items():
        assert one(f"{name}:\nYes.", train)["speaker_names"] == known


def test_invalid_utf8() -> None:
    assert one("ab\ufffd\ufffd" + "c" * 6)["invalid_utf8"] == pytest.approx(2 / 10)


def test_the_judge_learned_the_first_half_of_the_held_out_text(text: str) -> None:
    corpus = split(text)
    half = len(corpus.val.text) // 2
    expected = CharModel(corpus.val.text[:half], order=6).bits("The king").mean()
    assert Reader(corpus).read(["The king"])[0]["judge"] == pytest.approx(expected)
    first, second = Reader(corpus).read([corpus.val.text[:half], corpus.val.text[half:]])
    assert first["judge"] < second["judge"]


def test_longest_copy_starts_at_sixteen() -> None:
    assert one("xx" + TRAIN[10:25] + "zz")["longest_copy"] == 0
    assert one("xx" + TRAIN[10:26] + "zz")["longest_copy"] == 16


def test_word_grams_across_chunks_of_the_training_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = split(text)
    samples = [corpus.train.text[1000:2500], corpus.val.text]
    expected = Reader(corpus).read(samples)
    monkeypatch.setattr(grams, "chunks", lambda text: chunks(text, 50))
    np.testing.assert_equal(Reader(corpus).read(samples), expected)
    assert expected[0]["copied_8grams"] > 0.99


def test_each_sample_is_read_for_itself(text: str) -> None:
    corpus = split(text)
    samples = [corpus.val.text[:700], "", corpus.train.text[:900], "z" * 50, corpus.val.text[200:900], "ANNA:\nYes."]
    reader = Reader(corpus)
    all_rows = reader.read(samples)
    np.testing.assert_equal(reader.read(samples[::-1]), all_rows[::-1])
    np.testing.assert_equal([reader.read([sample])[0] for sample in samples], all_rows)
    assert reader.read([]) == []


def test_degenerate_samples(text: str) -> None:
    corpus = split(text)
    reader = Reader(corpus)
    samples = {
        "empty": "",
        "spaces": " " * 1500,
        "lines": "\n" * 1500,
        "loop": "e" * 1500,
        "invalid": "\ufffd" * 1500,
        "copy": corpus.train.text[:1500],
        "greek": "Ἐν ἀρχῇ ἦν ὁ λόγος, " * 75,
        "chinese": "道可道 非常道。名可名 非常名。" * 94,
        "emoji": "\U0001f600" * 1500,
    }
    rows = dict(zip(samples, reader.read(list(samples.values())), strict=True))
    nothing = {name for name, value in rows["empty"].items() if math.isnan(value)}
    assert nothing == {*MEASURES} - {"longest_copy"}
    assert not any(math.isinf(value) for row in rows.values() for value in row.values())
    assert rows["copy"]["longest_copy"] == 1500
    assert rows["copy"]["real_words"] > 0.99
    assert rows["invalid"]["invalid_utf8"] == 1
    assert rows["loop"]["real_words"] == rows["greek"]["real_words"] == rows["chinese"]["real_words"] == 0
    assert rows["greek"]["repetition"] > 0.9
    for name in ("invalid", "greek", "chinese", "emoji"):
        assert rows[name]["judge"] > 10, "a character that the judge never saw costs its place in Unicode"
        assert rows[name]["longest_copy"] == 0
    assert math.isnan(rows["spaces"]["dialogue"])
    assert rows["spaces"]["judge"] > 0


def test_passages_lie_end_to_end_and_are_four_at_least() -> None:
    val = "".join(map(chr, range(100, 4600)))
    cut, second = human_passages(val, 1000)
    assert [part[0] for part in cut] == [val[i] for i in (0, 1000, 2000, 3000)]
    assert {len(part) for part in cut} == {1000}
    assert second == [False, False, False, True]  # the third begins in the first half
    assert [len(part) for part in human_passages(val, 1500)[0]] == [1125] * 4
    assert human_passages("ab", 1500) == (["a", "b"], [False, True])
    assert human_passages("a", 1500)[0] == ["a"]
    many, _ = human_passages(val, 5)
    assert len(set(many)) == len(many) == readability.MOST_PASSAGES
    assert (many[0], many[-1]) == (val[:5], val[-5:])


@pytest.mark.parametrize("size", [1, 2, 5, 40, 1200])
def test_a_short_held_out_text_gives_what_band_it_can(text: str, size: int) -> None:
    reader = Reader(corpus_of(text[:5000], text[5000 : 5000 + size]))
    human = reader.human()
    assert len(human) == {1: 1, 2: 2, 5: 5, 40: 4, 1200: 4}[size]
    shown = band(human, reader.chars)
    assert shown["invalid_utf8"][0] == 0
    if size == 1200:
        assert all(math.isfinite(distance(shown[name][0], shown[name])) for name in ("real_words", "judge"))
        assert math.isnan(shown["distinct_1"][0]), "300 characters are not 200 words"


def test_human_rows_are_read_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = split(text)
    expected = Reader(corpus, 200).human()
    monkeypatch.setattr(Reader, "read", None)
    np.testing.assert_equal(Reader(corpus, 200).human(), expected)
    with pytest.raises(TypeError):
        Reader(corpus, 199).human()
    with pytest.raises(TypeError):
        Reader(corpus_of(corpus.train.text + "x", corpus.val.text), 200).human()


def test_the_judge_is_not_asked_about_what_it_learned(text: str) -> None:
    corpus = split(text)
    human = Reader(corpus, 100).human()
    learned = [100 * i < len(corpus.val.text) // 2 for i in range(len(human))]
    assert [math.isnan(row["judge"]) for row in human] == learned
    assert 0 < sum(learned) < len(learned)


def test_band_and_distance_by_hand() -> None:
    nan = float("nan")
    rows = [dict.fromkeys(MEASURES, 0.0) | {"judge": judge, "dialogue": nan} for judge in (2.0, 4.0, nan)]
    rows[0]["speaker_names"] = rows[1]["speaker_names"] = nan
    shown = band(rows, chars=1000)
    assert shown["judge"] == pytest.approx((3, math.sqrt(2)))
    assert distance(1.0, shown["judge"]) == pytest.approx(-math.sqrt(2))
    assert shown["invalid_utf8"] == (0, 1 / 1000)
    assert shown["longest_copy"] == (0, 1)
    assert shown["real_words"] == (0, 6 / 1000)
    assert math.isnan(shown["dialogue"][0])
    assert shown["speaker_names"][0] == 0
    assert math.isnan(distance(0.0, shown["speaker_names"])), "one passage has no spread"


def shuffled(passage: str, rng: random.Random) -> str:
    """The words of `passage` in another order, its spacing where it was."""
    parts = re.split(r"(\s+)", passage)
    mixed = parts[::2]
    rng.shuffle(mixed)
    parts[::2] = mixed
    return "".join(parts)


def ngram_texts(train: str, count: int, rng: random.Random) -> list[str]:
    """Texts of 1,500 characters, each drawn among those that follow the five before it in `train`."""
    followers = defaultdict(list)
    for i in range(5, len(train)):
        followers[train[i - 5 : i]].append(train[i])
    texts = ["\n\nKIN"] * count
    for _ in range(1500):
        texts = [text + rng.choice(followers[text[-5:]]) for text in texts]
    return [text[5:] for text in texts]


def test_what_people_did_not_write_is_told_apart(shakespeare: str) -> None:
    corpus = split(shakespeare)
    rng = random.Random(0)
    reader = Reader(corpus)
    rows = reader.human()
    # The band of two passages in three, so that the third is fresh.
    human = band([row for i, row in enumerate(rows) if i % 3])
    assert human["real_words"] == pytest.approx((0.935, 0.035), abs=0.01)

    fresh = [{name: distance(row[name], human[name]) for name in MEASURES} for row in rows[::3]]
    beyond = [name for row in fresh for name, far in row.items() if abs(far) > 3]
    assert len(beyond) <= 0.02 * len(fresh) * len(MEASURES), beyond

    held_out = human_passages(corpus.val.text)[0][::7]
    mixed = [shuffled(passage, rng) for passage in held_out]
    start = rng.randrange(len(corpus.train.text) - 300)
    planted = [passage[:600] + corpus.train.text[start : start + 300] + passage[900:] for passage in held_out]
    whole = [corpus.train.text[start : start + 1500]]
    ngram = ngram_texts(corpus.train.text, 4, rng)
    generator, letters = np.random.default_rng(0), np.array(list(corpus.train.text))
    unigram = ["".join(generator.choice(letters, 1500)) for _ in range(4)]

    read = iter(reader.read([*mixed, *planted, *whole, *ngram, *unigram]))  # one pass over the training text

    def mean(samples: list[str]) -> dict[str, float]:
        measures = [next(read) for _ in samples]
        return {name: distance(mean, human[name]) for name, (mean, _) in band(measures).items()}

    assert mean(mixed)["dialogue"] < -3
    far = mean(planted)
    assert far["longest_copy"] > 3
    assert far["copied_8grams"] > 3
    assert mean(whole)["seen_trigrams"] > 3
    assert mean(ngram)["returning_speakers"] < -3
    far = mean(unigram)
    assert far["real_words"] < -3
    assert far["judge"] > 3
    assert not list(read), "each group was read in its turn"
