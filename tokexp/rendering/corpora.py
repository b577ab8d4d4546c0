"""What a report says of the corpus: on what runs are ranked, how it is made up, how sure a text makes a difference."""

from __future__ import annotations

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.composition import Composition, PartSize, composition
from tokexp.rendering.text import Emphasis, Line, Strong, listed, plain, sentence
from tokexp.scoring.units import DOCUMENTS


def size(n_bytes: float) -> str:
    """A number of bytes as people say it, to three figures."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:.3g} {name}"
    return f"{n_bytes:,.0f} bytes"


def ranked_line(comparison: Comparison) -> Line:
    """On what runs are ranked; nothing of runs from before it was written down."""
    corpus = composition(comparison)
    if corpus is None:
        return []
    if corpus.on_test:
        return [
            f"Runs are ranked on the test part: {_amount(corpus.ranked)}. "
            "Checkpoints were chosen on the validation part, never on this one."
        ]
    return [
        f"Runs are ranked on the validation part: {_amount(corpus.ranked)}. ",
        Strong("There is no test part"),
        ": what was chosen was chosen on this text too, and a choice flatters itself.",
    ]


def corpus_line(comparison: Comparison) -> Line:
    """How the corpus is made up, a sentence each; nothing of runs from before it was written down."""
    corpus = composition(comparison)
    if corpus is None:
        return []
    parts: list[Line] = [[f"{_amount(part)} for {part.name}"] for part in corpus.parts]
    lines: list[Line] = [[f"The corpus has {plain(listed(parts))}."]]
    lines += [[line] for line in _limits(corpus)]
    if corpus.seen:
        one = corpus.seen == 1
        lines.append(
            [
                Strong(f"{corpus.seen:,} held-out document{'' if one else 's'}"),
                f" {'stands' if one else 'stand'} in the training part word for word.",
            ]
        )
    if corpus.skipped:
        could = "1 record was" if corpus.skipped == 1 else f"{corpus.skipped:,} records were"
        lines.append([f"{could} left out, since {'it' if corpus.skipped == 1 else 'they'} could not be read."])
    return sentence(*lines)


def _limits(corpus: Composition) -> list[str]:
    """What read only a beginning or a sample."""
    lines = []
    if corpus.tokenizer_bytes:
        sizes = plain(listed([[size(n)] for n in corpus.tokenizer_bytes]))
        lines.append(f"Tokenizers learned from its first {sizes}.")
    if corpus.learned_bytes:
        lines.append(f"Restoration and readability learned from {size(corpus.learned_bytes)} of it.")
    if corpus.evaluated_bytes:
        read = size(corpus.evaluated_bytes)
        lines.append(f"Evaluations along training read the first {read} of the validation part.")
    return lines


def _amount(part: PartSize) -> str:
    if part.documents is None:
        return size(part.n_bytes)
    return f"{size(part.n_bytes)} in {part.documents:,} document{'' if part.documents == 1 else 's'}"


def differences_note(comparison: Comparison) -> Line:
    """How the table of differences is read."""
    return [
        "Every pair of cells whose models have one size has a row, and the better one stands first. Other seeds might "
        "turn a difference round, and so might other text: each has a standard error here, and one t carries both. Its "
        "interval is at 95 % over all pairs together, as its p-value is (Holm), so that it excludes zero just where "
        "the difference is ",
        Emphasis("resolved"),
        f". {_over_the_text(comparison)}",
    ]


def _over_the_text(comparison: Comparison) -> str:
    """What the error over the text is over, and of which texts a verdict holds."""
    has = "It is one text" if comparison.documents is None else f"It has only {_documents(comparison)}"
    if comparison.unit_kind == DOCUMENTS:
        return f"The error over the text is over its {_documents(comparison)}: another text would have others."
    if comparison.unit_kind is None:
        why = "Its documents are not known one by one" if comparison.documents is None else has
        return f"There is no error over the text. {why}, so that a verdict is of other seeds on this text alone."
    return (
        f"The error over the text is over eight stretches of it. {has}, so that a verdict is of this text, whose "
        "passages vary so much, and not of other such texts."
    )


def _documents(comparison: Comparison) -> str:
    n = comparison.documents or 0
    return f"{n:,} document{'' if n == 1 else 's'}"


def scores_note(comparison: Comparison) -> Line:
    """How the table of scores is read."""
    if comparison.on_test:
        chosen = "A best checkpoint was chosen on the validation part and is scored on the test part."
    elif comparison.evaluates_all:
        chosen = "A checkpoint that was chosen on this text flatters itself; the cross-fitted figure does not."
    else:
        chosen = "A checkpoint that was chosen on this text flatters itself."
    return [
        "The ",
        Emphasis("total"),
        " at the end of the budget is ranked. It is the sum of two: the model's bits for its tokens (naive), and "
        "the bits that bring back case, spacing or rare words where a tokenizer loses them (restoration), each "
        "over the UTF-8 bytes of the original text. A figure is the mean over the seeds, ± half of its 95 % "
        f"interval. {chosen} "
        "Baselines are in italics: a static one learned from the training part alone, as the models did; an "
        "adaptive one goes on learning as it reads.",
    ]


def views_note(comparison: Comparison) -> Line:
    """How the table of views is read."""
    note = (
        "The same runs are read where they had taken equal steps, read equally much, and so on. A figure in "
        "brackets was read before the end of its run's schedule, and ranks nothing; to compare there, train with "
        "that budget, or at a constant rate. Two cells have an order where t over the seeds tells them apart, among "
        "all pairs of a column (Holm); of another text it says nothing."
    )
    if comparison.on_test:
        of = "Figures along training are of the validation part, those of best checkpoints of the test part."
        return [f"{note} {of}"]
    return [note] if comparison.evaluates_all else [f"{note} Figures along training are of what evaluations read."]
