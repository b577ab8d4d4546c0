"""How a corpus is made up."""

from __future__ import annotations

from made_up import MADE_OF, compared, of_documents, run, seeds, study

from tokexp.analysis.texts.composition import composition


def test_older_runs_say_nothing() -> None:
    assert composition(compared(seeds(0.5))) is None


def test_parts_and_limits() -> None:
    made = composition(compared(of_documents(tokenizer_train_bytes=1_000_000, documents_seen=3, records_skipped=1)))
    assert made is not None
    assert [(part.name, part.n_bytes, part.documents) for part in made.parts] == [
        ("training", 5_000_000, 900), ("validation", 640, 30), ("test", 4780, 40),
    ]  # fmt: skip
    assert made.ranked.name == "test"
    assert (made.tokenizer_bytes, made.learned_bytes, made.evaluated_bytes) == ([1_000_000], 2_000_000, None)
    assert (made.seen, made.skipped) == (3, 1)


def test_a_single_text_has_no_documents() -> None:
    single = {
        **MADE_OF,
        "train_documents": 1,
        "val_documents": 1,
        "learned_bytes": 5_000_000,
        "tokenizer_train_bytes": 5e6,
    }
    made = composition(compared(study([run("char", **single, eval_bytes=320)])))
    assert made is not None
    assert [part.documents for part in made.parts] == [None, None]
    assert (made.learned_bytes, made.evaluated_bytes, made.tokenizer_bytes) == (None, 320, [])
