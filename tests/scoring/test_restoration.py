"""The models of what a tokenizer loses: probabilities that sum to one, costs that match by hand, and a real code.

The code is the proof that a cost is honest: an arithmetic coder that knows the tokens and the fitted model
writes a text in as many bits as `RestorationModel.cost` says, and reads it back from those bits alone.
"""

from __future__ import annotations

import io
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from corpora import corpus_of
from hypothesis import given
from hypothesis import strategies as st

import tokexp.scoring.restoration
from tokexp.config import InputError
from tokexp.data.part import Part
from tokexp.scoring.ngram import CODE_POINTS, Speller, WittenBell
from tokexp.scoring.restoration import (
    ASPECTS,
    NEW,
    SHAPES,
    Restoration,
    RestorationModel,
    Token,
    _has_case,
    _kind,
    _letters,
    restoration_cost,
    restoration_of,
)
from tokexp.tokenizer import Tokenizer, train_tokenizer


def by_aspect(restoration: Restoration) -> dict[str, float]:
    return dict(zip(ASPECTS, restoration.bits.sum(axis=0).tolist(), strict=True))


def test_lossless_text_costs_nothing(text: str) -> None:
    for kind in ("char", "bpe"):
        cost = restoration_cost(train_tokenizer(kind, text), Part.of_text(text), Part.of_text(text[:500]))
        assert cost.total == 0
        assert cost.bits.shape[1] == len(ASPECTS)


def test_a_lower_case_text_with_known_words_still_pays_a_little(text: str) -> None:
    """What the tokenizer could have lost must be said to be absent; that is cheap, not free."""
    word = train_tokenizer("word", text.lower())
    cost = RestorationModel(word, Part.of_text(text.lower())).cost(Part.of_text(text.lower()[:2000]))
    assert 0 < by_aspect(cost)["case"] < 60


@pytest.mark.parametrize(
    ("lost", "part"),
    [("KING", "case"), ("Xylophone", "spelling"), ("the   king", "spacing"), ("ZZé日", "spelling")],
)
def test_each_loss_is_charged_to_its_part(text: str, lost: str, part: str) -> None:
    word = train_tokenizer("word", text)
    model = RestorationModel(word, Part.of_text(text))
    plain, changed = model.cost(Part.of_text("the king of love")), model.cost(Part.of_text(f"the king of love {lost}"))
    extra = {name: by_aspect(changed)[name] - by_aspect(plain)[name] for name in ASPECTS}
    assert max(extra, key=lambda name: extra[name]) == part
    assert np.isfinite(changed.total)


def test_case_probabilities_sum_to_one(text: str) -> None:
    """Over the ways to write one word of known spelling, in its place."""
    word = train_tokenizer("word", text)
    model = RestorationModel(word, Part.of_text(text))
    forms = ["".join(p) for p in itertools.product(*((c, c.upper()) for c in "king"))]
    costs = [model.cost(Part.of_text(f"the {form}")).bits[-1] for form in forms]
    escape = costs[0][2]  # the bits that say "this is the token's own word", the same for all
    assert sum(2 ** -cost[1] for cost in costs) == pytest.approx(1)
    assert all(cost[2] == escape for cost in costs)


def test_an_unknown_word_is_none_of_the_vocabulary(text: str) -> None:
    """So what the speller gives to those is shared out among all others."""
    word = train_tokenizer("word", text)
    model = RestorationModel(word, Part.of_text(text))
    known = sum(2 ** -model._speller.bits(one) for one in word.never_unknown())
    assert 0.05 < known < 0.9
    spelling = model.cost(Part.of_text("the xyzzy")).bits[-1][2]
    assert 2**-spelling == pytest.approx(2 ** -model._speller.bits("xyzzy") / (1 - known))


ODD_CASES = (
    "aA\u03c3\u03c2\u03a3\u0130\u0131ßǆǅéÉ \n"  # a sigma at the end of a word is another letter; a dotted I is two
)


@given(st.text(alphabet=ODD_CASES, max_size=12), st.text(alphabet=ODD_CASES, min_size=1, max_size=60))
def test_no_casing_of_a_word_makes_its_cost_infinite(text: str, learned: str) -> None:
    """A word that UNK is said never to stand for it never does, whatever Unicode does to its letters."""
    try:
        word = train_tokenizer("word", learned, min_frequency=1)
    except InputError:  # no word
        return
    never = set(word.never_unknown())
    assert np.isfinite(restoration_cost(word, Part.of_text(learned), Part.of_text(text)).total)
    model = RestorationModel(word, Part.of_text(learned))
    assert not never & {token.word for token in model._tokens(text) if token.id == word.unk_id}


def test_of_characters_only_the_unknown_ones_are_paid_for(text: str) -> None:
    """Their tokens say everything else, the white space too."""
    char = train_tokenizer("char", text)
    known = len(set(text))
    bits = restoration_cost(char, Part.of_text(text), Part.of_text("the  é king 日")).bits
    assert bits.shape == (14 - 1, len(ASPECTS))
    assert np.flatnonzero(bits.sum(axis=1)).tolist() == [5, 12]
    assert bits[[5, 12], 2] == pytest.approx(np.log2(CODE_POINTS - known))


def test_unknown_characters_that_training_had_cost_less(text: str) -> None:
    """A vocabulary may leave out some: then their share of the training text is known."""
    char = train_tokenizer("char", text, vocab_size=24)
    model = {char_: restoration_cost(char, Part.of_text(text), Part.of_text(char_)).total for char_ in "Zé"}
    left_out = [each for each in text if each not in char.alphabet]
    assert left_out
    one = restoration_cost(char, Part.of_text(text), Part.of_text(left_out[0])).total
    assert one < 16 < model["é"]
    kinds, n = len(set(left_out)), len(left_out)
    base = 1 / (CODE_POINTS - len(char.alphabet))
    assert one == pytest.approx(-np.log2((left_out.count(left_out[0]) + kinds * base) / (n + kinds)))


def test_trailing_space_is_paid_for(text: str) -> None:
    word = train_tokenizer("word", text)
    model = RestorationModel(word, Part.of_text(text))
    assert model.cost(Part.of_text("the king  ")).total > model.cost(Part.of_text("the king")).total + 5


def test_shakespeare_words_cost_what_was_measured(shakespeare: str) -> None:
    """DESIGN's reference: case 0.036, spacing 0.003, spelling 0.330 bits per character; at most 20 % more."""
    train, val = shakespeare[:1_003_854], shakespeare[1_003_854:]
    parts = by_aspect(restoration_cost(train_tokenizer("word", train), Part.of_text(train), Part.of_text(val)))
    per_char = {name: bits / len(val) for name, bits in parts.items()}
    assert 0.02 < per_char["case"] < 0.036 * 1.2
    assert 0.001 < per_char["spacing"] < 0.003 * 1.2
    assert 0.25 < per_char["spelling"] < 0.330 * 1.2


def test_a_gap_of_any_length_has_a_finite_cost(text: str) -> None:
    """2 to the minus thousands is nothing to a float."""
    model = RestorationModel(train_tokenizer("word", text), Part.of_text(text))
    short, long = (by_aspect(model.cost(Part.of_text("the" + " " * n + "king")))["spacing"] for n in (200, 5000))
    a_space = model._gap_speller.bits(" " * 201) - model._gap_speller.bits(" " * 200)
    assert long - short == pytest.approx(4800 * a_space)


def test_a_rare_gap_costs_the_same_in_logarithms(text: str) -> None:
    model = RestorationModel(train_tokenizer("word", text), Part.of_text(text))
    for contexts in ([()], [(), ("word", "word")], [(), ("word", "word"), (4, 5)], [(), ("?", "?"), (-7, -7)]):
        assert model._gap_bits(contexts, "   \t") == pytest.approx(model._gaps.bits(contexts, "   \t"))


# The probabilities over all alternatives sum to one, in contexts that were seen, that were not, and between.


def mass(speller: Speller, longest: int) -> tuple[float, float]:
    """P of all strings of up to `longest` characters, and of all longer ones: what begins them."""
    outcomes = [*sorted(speller.alphabet), None]
    model, ended, open_ = speller._model, 0.0, {(): 1.0}
    for _ in range(longest + 1):
        longer = {}
        for symbols, p in open_.items():
            before = before_end(speller, list(symbols))
            ended += p * model.probability(before, speller.END)
            longer.update({(*symbols, s): p * model.probability(before, s) for s in outcomes})
        open_ = longer
    return ended, sum(open_.values())


def before_end(speller: Speller, symbols: list[str | None]) -> list[tuple]:
    """The contexts of the symbol after `symbols`, from none to the widest."""
    padded = [speller.END] * (speller.order - 1) + symbols
    return [tuple(padded[len(padded) - k :]) for k in range(speller.order)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("strings", [["a", "ab", "b", ""], ["abab", "ba"], [" ", "  ", "\t", ""], ["a"], [""]])
def test_spellings_sum_to_one_with_the_longer_ones(strings: list[str], order: int) -> None:
    speller = Speller(strings, order)
    short, longer = mass(speller, 4)
    assert short + longer == pytest.approx(1, abs=1e-12)
    stranger = "é"  # in the place of every character that the strings lack
    rest = CODE_POINTS - len(speller.alphabet)
    by_bits = sum(
        2 ** -speller.bits("".join(each)) * rest ** each.count(stranger)
        for n in range(5)
        for each in itertools.product([*speller.alphabet, stranger], repeat=n)
    )
    assert by_bits == pytest.approx(short)


SPACED = "the  king \tof love\n\tand  the   lord \t is here ; not\n"


@pytest.fixture(scope="module")
def spaced(text: str) -> RestorationModel:
    sample = text[:3000] + SPACED + text[:2000]
    return RestorationModel(train_tokenizer("word", sample), Part.of_text(sample))


@pytest.mark.parametrize("kinds", [("word", "word"), ("start", "word"), ("word", "\n"), ("no", "such")])
@pytest.mark.parametrize("pair", [("the", "king"), ("king", "the"), ("zebra", "king"), ("zebra", "zebra")])
def test_gaps_sum_to_one(spaced: RestorationModel, kinds: tuple[str, str], pair: tuple[str, str]) -> None:
    """Over every string of up to 4 characters, and what is left for longer ones."""
    model = spaced
    contexts = [(), kinds, tuple(model._tokenizer.encode(" ".join(pair)))]
    alphabet, stranger = sorted(model._gap_speller.alphabet), "é"
    assert len(alphabet) == 2
    rest = CODE_POINTS - len(alphabet)
    total = sum(
        2 ** -model._gap_bits(contexts, "".join(each)) * rest ** each.count(stranger)
        for n in range(5)
        for each in itertools.product([*alphabet, stranger], repeat=n)
    )
    assert max(map(len, model._known_gaps)) < 5
    longer = model._gaps.probability(contexts, NEW) * mass(model._gap_speller, 4)[1]
    assert total + longer == pytest.approx(1, abs=1e-9)
    assert longer < 0.05


@pytest.fixture(scope="module")
def cased(text: str) -> RestorationModel:
    sample = text + "\n'Tis iPhone I\n"
    return RestorationModel(train_tokenizer("word", text), Part.of_text(sample))


@pytest.mark.parametrize("before", ["", "the", "The", "THE", "tHE", "Zebra", "zEbRa", "lord.\n", "KING EDWARD:\n", "'"])
@pytest.mark.parametrize("word", ["king", "citizen", "is", "l", "xéß9ŉ", "zebra", "ǆabİ", "été", "a1b2c3"])
def test_capitals_sum_to_one(cased: RestorationModel, before: str, word: str) -> None:
    """Over all ways to write one row of letters, of words known and not, with letters that have no other case."""
    ways = [(c, c.upper()) if _has_case(c) else (c,) for c in word]
    costs = [cased.cost(Part.of_text(f"{before} {''.join(form)}")).bits[-1] for form in itertools.product(*ways)]
    assert len(costs) == 2 ** _letters(word)
    assert sum(2**-case for _, case, _ in costs) == pytest.approx(1)
    assert len({(spacing, spelling) for spacing, _, spelling in costs}) == 1, "nothing else tells them apart"


def test_escape_and_its_absence_sum_to_one(text: str) -> None:
    """A token that its piece of text is not: here half of the space after the last word is taken for its letters."""
    model = RestorationModel(train_tokenizer("word", text), Part.of_text(text))
    plain, escaped = (model.cost(Part.of_text(f"king{tail}")).bits[-1][2] for tail in ("", "  "))
    assert 2**-plain + 2 ** -(escaped - model._speller.bits("ng  ")) == pytest.approx(1)


# A real code.


class Writer:
    """An arithmetic coder in exact integers: every decision narrows an interval, and one number in it is the code."""

    def __init__(self) -> None:
        self._low, self._range, self._shift = 0, 1, 0

    def point(self, total: int, wanted: int) -> int:
        """Cut the interval into `total` equal parts; which of them the decision is for."""
        while self._range < total << 64:
            self._low, self._range, self._shift = self._low << 64, self._range << 64, self._shift + 64
        return wanted

    def narrow(self, total: int, start: int, parts: int) -> None:
        """Keep that many parts, from `start` on."""
        self._low, self._range = self._low + self._range // total * start, self._range // total * parts

    @property
    def bits(self) -> str:
        """The shortest binary fraction in the interval."""
        drop = self._range.bit_length() - 1
        return f"{-(-self._low >> drop):b}".zfill(self._shift - drop)


class Reader:
    """Follows a `Writer` from its bits; it must not be told anything else."""

    def __init__(self, bits: str) -> None:
        self._bits, self._above, self._range, self._at = bits, 0, 1, 0

    def point(self, total: int, wanted: None) -> int:
        assert wanted is None
        while self._range < total << 64:
            block = self._bits[self._at : self._at + 64].ljust(64, "0")
            self._above, self._range, self._at = self._above << 64 | int(block, 2), self._range << 64, self._at + 64
        return min(self._above // (self._range // total), total - 1)

    def narrow(self, total: int, start: int, parts: int) -> None:
        self._above, self._range = self._above - self._range // total * start, self._range // total * parts


UNTOLD = object()  # in the place of what a Reader is to find out; None is an outcome of its own


def one_of(coder: Any, p: dict[Hashable, float], wanted: Any) -> Any:
    """One of the keys of `p`, their probabilities in units of 2^-48."""
    outcomes, parts = list(p), [max(1, round(x * 2**48)) for x in p.values()]
    edges = [0, *itertools.accumulate(parts)]
    point = coder.point(edges[-1], None if wanted is UNTOLD else edges[outcomes.index(wanted)])
    at = bisect_right(edges, point) - 1
    coder.narrow(edges[-1], edges[at], parts[at])
    return outcomes[at]


def number(coder: Any, n: int, wanted: int | None) -> int:
    """One of `n` numbers, all as probable."""
    point: int = coder.point(n, wanted)
    coder.narrow(n, point, 1)
    return point


@cache
def strangers(alphabet: frozenset[str]) -> list[str]:
    """Every character outside `alphabet`, in order."""
    characters = map(chr, itertools.chain(range(0xD800), range(0xE000, 0x110000)))
    return [char for char in characters if char not in alphabet]


def spell(
    coder: Any, speller: Speller, wanted: str | None, atoms: dict[str, float] | None = None, rest: float = 1
) -> str:
    """A string, character by character: of `speller`, or of `rest` of it mixed with `atoms`, the probabilities
    of whole strings, below zero where they are taken out. Each decision is between the mixture's strings that go on
    in one way and another."""
    symbols: list[str | None] = []
    done, atoms = "", dict(atoms or {})
    while True:
        before = before_end(speller, symbols)
        p = {s: rest * speller._model.probability(before, s) for s in (speller.END, None, *sorted(speller.alphabet))}
        spelled = dict(p)
        for atom, mass in atoms.items():
            p[atom[len(done) : len(done) + 1]] += mass
        target: Any = UNTOLD
        if wanted is not None:
            target = wanted[len(done) : len(done) + 1]
            target = target if target in p else None
        symbol = one_of(coder, {s: x / sum(p.values()) for s, x in p.items()}, target)
        if symbol == speller.END:
            return done
        if symbol is None:
            others = strangers(frozenset(speller.alphabet))
            at = number(coder, len(others), None if wanted is None else bisect_left(others, wanted[len(done)]))
            done += others[at]
        else:
            done += symbol
        symbols.append(symbol)
        atoms = {atom: mass for atom, mass in atoms.items() if atom.startswith(done)}
        rest = spelled[symbol] if atoms else 1.0


def restore(model: RestorationModel, coder: Any, ids: list[int], tokens: list[Token] | None) -> str:
    """The text of `ids`: what `coder` reads, or, for one that writes, what `tokens` say.

    Written after the docstring of restoration.py, not after its code: whatever decides a probability
    is of the ids or was decided before.
    """
    atoms_model = WittenBell(lambda _: 0.0)  # the gap model without what it leaves to the spelling of new gaps
    atoms_model._seen, atoms_model._total = model._gaps._seen, model._gaps._total
    never = {word: -(2 ** -model._speller.bits(word)) for word in model._tokenizer.never_unknown()}
    text: list[str] = []
    last, kinds, shape = -1, ("start", "start"), None
    for n, i in enumerate(ids):
        token = tokens[n] if tokens else None
        word, surface = model._written[i].lstrip(" "), None

        if not model._written[i]:
            word = spell(coder, model._speller, token and token.word, never)
        else:
            p = {x: model._escapes.probability([()], x) for x in (False, True)}
            if one_of(coder, p, token.shape is None if token else UNTOLD):
                surface = spell(coder, model._speller, token and token.surface)

        around, kinds = (*kinds, shape), (kinds[1], _kind(word))
        contexts: list[tuple] = [(), kinds, (last, i)]
        atoms = {gap: atoms_model.probability(contexts, gap) for gap in sorted(model._known_gaps)}
        left = model._gaps.probability(contexts, NEW)
        gap = spell(coder, model._gap_speller, token and token.gap, atoms, left)

        shape, letters = None if surface is not None else "", _letters(word)
        if shape is not None and letters:
            model_of_shapes, shapes = model._shapes[min(letters, 2)], SHAPES[min(letters, 2)]
            contexts = [(), around, (i,), (i, *around)]
            p = {x: model_of_shapes.probability(contexts, x) for x in shapes}
            shape = one_of(coder, p, token.shape if token else UNTOLD)
            capitals = {"lower": 0, "title": 1, "upper": 2**letters - 1}.get(shape, -1)
            if capitals < 0:
                capitals = 2 + number(coder, 2**letters - 3, capitals_of(token) - 2 if token else None)
            surface = capitalised(word, capitals)
        text += [gap, word if surface is None else surface]
        last = i
    return "".join(text)


def capitals_of(token: Token) -> int:
    """Which of the letters are capitals, a bit each, the first one the lowest."""
    cased = [(a, b) for a, b in zip(token.surface, token.word, strict=True) if _has_case(b)]
    return sum(1 << n for n, (a, b) in enumerate(cased) if a != b)


def capitalised(word: str, capitals: int) -> str:
    written = []
    for char in word:
        if _has_case(char):
            char, capitals = char.upper() if capitals & 1 else char, capitals >> 1
        written.append(char)
    return "".join(written)


def check_round_trip(tokenizer: Tokenizer, train: str, sample: str) -> None:
    model = RestorationModel(tokenizer, Part.of_text(train))
    ids = tokenizer.encode(sample)
    writer = Writer()
    restore(model, writer, ids, list(model._tokens(sample)))
    code, cost = writer.bits, model.cost(Part.of_text(sample)).total
    assert restore(model, Reader(code), ids, None) == sample
    assert cost - 0.01 <= len(code) <= cost + 2


def test_shakespeare_is_read_back_from_its_tokens_and_the_code(shakespeare: str) -> None:
    train, sample = shakespeare[:300_000], shakespeare[1_003_854:][:2000]
    check_round_trip(train_tokenizer("word", train), train, sample)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["word", "hf_wordpiece"])
def test_all_of_shakespeare_is_read_back(shakespeare: str, kind: str) -> None:
    train = shakespeare[:1_003_854]
    check_round_trip(train_tokenizer(kind, train), train, shakespeare[1_003_854:])


HARD = (
    "The KING, \tof kiNG of  my\r\n\n LORD's Zebra xylOPHONE  İstanbul ẞ ǆ Straße K ŉ été DÉJÀ-vu  "
    "日本語\u3000 ▁ Ġ <unk> 👩\u200d👩 ﬁn ½ e\u0301 \0\x1c \ue000\U0010ffff" + " " * 70 + "end \u2003"
)


@pytest.mark.parametrize("kind", ["word", "char", "bpe_classic", "hf_wordpiece", "hf_unigram", "sentencepiece"])
def test_what_is_hard_is_read_back_too(text: str, tmp_path: Path, kind: str) -> None:
    """Of every lossy kind; the last is a .model of one's own, with the normalisation that the library is known for."""
    settings: dict[str, Any] = {} if kind in ("word", "char") else {"vocab_size": 200}
    if kind == "sentencepiece":
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text.split("\n")), model_writer=model, vocab_size=400, hard_vocab_limit=False,
            byte_fallback=True, minloglevel=2,
        )  # fmt: skip
        (tmp_path / "mine.model").write_bytes(model.getvalue())
        kind, settings = "file", {"path": str(tmp_path / "mine.model")}
    tokenizer = train_tokenizer(kind, text, **settings)
    assert not tokenizer.lossless
    check_round_trip(tokenizer, text[:6000], HARD + text[6000:6200] + HARD.upper())


def test_another_code_is_another_text(text: str) -> None:
    """So that the code carries the text, and the reader nothing."""
    word = train_tokenizer("word", text)
    model, sample = RestorationModel(word, Part.of_text(text)), "The king OF Zembla; the  king"
    writer = Writer()
    restore(model, writer, word.encode(sample), list(model._tokens(sample)))
    for at in range(0, len(writer.bits), 7):
        flipped = writer.bits[:at] + "10"[int(writer.bits[at])] + writer.bits[at + 1 :]
        assert restore(model, Reader(flipped), word.encode(sample), None) != sample


def test_a_corpus_is_restored_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    word, corpus = train_tokenizer("word", text[:-500]), corpus_of(text[:-500], text[-500:])
    first = restoration_of(word, corpus, corpus.val)
    assert first.total == restoration_cost(word, corpus.train, corpus.val).total > 0
    monkeypatch.setattr(tokexp.scoring.restoration, "restoration_cost", lambda *_: pytest.fail("fitted again"))
    assert (restoration_of(word, corpus, corpus.val).bits == first.bits).all()
