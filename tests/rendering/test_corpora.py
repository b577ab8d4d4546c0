"""What a report says of the corpus, word for word."""

from __future__ import annotations

import pytest
from made_up import MADE_OF, compared, of_documents, on_test, run, seeds, several, study, with_units

from tokexp.analysis.statements.settling import settling
from tokexp.analysis.views import views
from tokexp.rendering.corpora import (
    corpus_line,
    differences_note,
    ranked_line,
    scores_note,
    size,
    views_note,
)
from tokexp.rendering.first_screen import answer_line, first_screen, settling_lines
from tokexp.rendering.sentences import title, view_heading
from tokexp.rendering.tables.scores import bits_per_byte, difference_table, loss_per_token
from tokexp.rendering.text import markdown
from tokexp.runs.study import Study


def test_older_runs_say_nothing() -> None:
    screen = first_screen(compared(seeds(0.5)))
    assert (screen.ranked_on, screen.corpus) == ([], [])


def test_on_what_runs_are_ranked() -> None:
    assert markdown(ranked_line(compared(of_documents()))) == (
        "Runs are ranked on the test part: 4.78 kB in 40 documents. Checkpoints were chosen on the validation part, "
        "never on this one."
    )
    assert markdown(ranked_line(compared(with_units(study([run("char", **MADE_OF)]), "val")))) == (
        "Runs are ranked on the validation part: 640 bytes in 30 documents. **There is no test part**: what was chosen "
        "was chosen on this text too, and a choice flatters itself."
    )


def test_how_the_corpus_is_made_up() -> None:
    assert markdown(corpus_line(compared(of_documents()))) == (
        "The corpus has 5 MB in 900 documents for training, 640 bytes in 30 documents for validation and 4.78 kB in 40 "
        "documents for test. Restoration and readability learned from 2 MB of it."
    )
    more = {"tokenizer_train_bytes": 1_500_000, "documents_seen": 1234, "records_skipped": 1, "eval_bytes": 320}
    said = markdown(corpus_line(compared(of_documents(**more))))
    assert "Tokenizers learned from its first 1.5 MB. " in said
    assert "Evaluations along training read the first 320 bytes of the validation part. " in said
    assert "**1,234 held-out documents** stand in the training part word for word. 1 record was left out" in said


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(999, "999 bytes"), (93_748, "93.7 kB"), (2e6, "2 MB"), (1.25e9, "1.25 GB")]
)
def test_sizes(n_bytes: float, said: str) -> None:
    assert size(n_bytes) == said


def test_what_the_interval_is_over() -> None:
    def said(made: Study) -> str:
        return markdown(differences_note(compared(made)))

    assert said(of_documents()).endswith("over its 40 documents: another text would have others.")
    assert said(of_documents(count=4, test_documents=4)).endswith(
        "There is no error over the text. It has only 4 documents, so that a verdict is of other seeds on this text "
        "alone."
    )
    blocks = said(with_units(seeds(0.5), "val", count=4))
    assert "over eight stretches of it. It has only 4 documents, so that a verdict is of this text, whose" in blocks
    assert "over eight stretches of it. It is one text, so that a verdict is of this text, whose" in said(seeds(0.5))
    beginning = said(study([run(arm, eval_bytes=320) for arm in ("char", "bpe")]))
    assert "There is no error over the text. Its documents are not known one by one, so" in beginning


def test_the_answer_names_the_texts_of_which_it_holds() -> None:
    def said(made: Study) -> str:
        return markdown(answer_line(compared(made)))

    assert said(of_documents()) == "`char` leads `bpe` by 0.500 bits per byte (95 %: 0.494 to 0.506); resolved."
    few = of_documents(count=4)
    assert said(few).endswith("(95 %: 0.498 to 0.502); resolved on this text.")
    table = difference_table(compared(few))
    assert [markdown(value) for value in table.rows()[0]][4:6] == ["0.001", ""]
    assert markdown(table.rows()[0][-1]) == "resolved on this text"
    close = with_units(study([on_test(arm, seed, 2 + 0.001 * (arm == "bpe") + seed / 1e5)
                              for arm in ("char", "bpe") for seed in range(3)]), noise=0.02)  # fmt: skip
    lines = [markdown(line) for line in settling_lines(settling(compared(close)), "")]
    assert lines == ["Only more held-out documents would settle the lead; more seeds would not."]


def test_best_checkpoints_say_what_they_were_chosen_on() -> None:
    tested, old = compared(of_documents()), compared(seeds(0.5))
    beginning = compared(study([run("char", eval_bytes=320)]))
    headings = [[str(column.heading) for column in bits_per_byte(one).columns] for one in (tested, old, beginning)]
    assert [[name for name in names if name.startswith("best")] for names in headings] == [
        ["best (chosen on validation, scored on test)"],
        ["best (chosen on this text)", "best, cross-fitted"],
        ["best (chosen on this text)"],
    ]
    assert "scored on the test part" in markdown(scores_note(tested))
    assert "cross-fitted" in markdown(scores_note(old))
    assert "cross-fitted" not in markdown(scores_note(beginning))
    assert "those of best checkpoints of the test part" in markdown(views_note(tested))
    assert view_heading(views(tested)[-1]) == "each at its best checkpoint (chosen on validation, scored on test)"
    assert "validation, end" in [str(column.heading) for column in loss_per_token(tested).columns]


def test_the_title_names_the_language() -> None:
    assert title(compared(study([on_test("char", language="de")]))).startswith("text de (4,780 held-out bytes")
    assert title(compared(study(several()))) == "text (640 held-out bytes, SHA-256 text)"
