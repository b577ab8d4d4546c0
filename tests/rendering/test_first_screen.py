"""What a report says first, of made-up studies: word for word."""

from __future__ import annotations

import dataclasses

import pandas as pd
from made_up import (
    baseline,
    blocks_of,
    compared,
    counts_of,
    equal_steps,
    run,
    seeds,
    study,
    two_sizes,
    with_content,
)

from tokexp.analysis.statements.settling import Settling
from tokexp.rendering.first_screen import (
    answer_lines,
    command,
    counts_line,
    first_screen,
    main_table,
    report_title,
    settling_lines,
)
from tokexp.rendering.text import markdown, plain
from tokexp.runs.study import Study

RESOLVED = Settling([], False, None, False, [])


def said(made: Study) -> str:
    return " ".join(map(markdown, answer_lines(compared(made))))


def test_a_lead_that_is_resolved_is_one_sentence() -> None:
    assert said(seeds(0.5)) == (
        "`char` leads `bpe` by 0.500 bits per byte (95 %: 0.477 to 0.523); resolved on this text."
    )
    screen = first_screen(compared(seeds(0.5)))
    assert (screen.warnings, screen.settle, screen.command) == ([], [], None)


def test_a_resolved_lead_is_said_to_lie_somewhere() -> None:
    of = {"heading": 64, "spacing": 576}
    bits = {arm: {"heading": at, "spacing": at / 2} for arm, at in (("char", 2.0), ("bpe", 4.0), ("word", 1.0))}
    assert said(with_content(seeds(0.5), "place", bits, of)).endswith(
        "resolved on this text. Most of the lead lies in spacing (0.900, on 90% of the bytes)."
    )
    assert "lies in" not in said(with_content(seeds(0.002), "place", bits, of)), "which may be chance"
    both = said(with_content(two_sizes(), "place", bits, of))
    assert "Most of the lead at size nano lies in spacing (0.450, on 90% of the bytes). Most of the lead at" in both


def test_nobody_leads_where_it_is_not_resolved() -> None:
    assert said(seeds(0.002)) == (
        "No tokenizer leads: `char` is ahead of `bpe` by 0.002 bits per byte (95 %: -0.021 to 0.025); **not resolved**."
    )
    assert said(equal_steps()) == (
        "No tokenizer leads: `char` is ahead of `word` by 0.200 bits per byte (one seed each); **not resolved**."
    )


def test_one_tokenizer_alone_leads_nobody() -> None:
    assert said(study([run("char", bpb=[2.25])])) == "`char` needs 2.250 bits per byte."


def test_sizes_are_joined_and_the_unit_is_said_once() -> None:
    assert said(two_sizes()) == (
        "At size nano `word` leads `char` by 0.100 bits per byte (95 % over 6 pairs: 0.098 to 0.102) "
        "and at size micro `word` leads `bpe` by 0.100 (95 % over 6 pairs: 0.098 to 0.102), resolved on this text."
    )


def test_a_size_that_is_resolved_stands_beside_one_that_is_not() -> None:
    runs = [
        run(arm, seed, [bpb + seed / 1000], {"model.n_embd": body}, size=size, params_body=body)
        for size, body, gap in (("nano", 1, 0.001), ("micro", 2, 0.3))
        for arm, bpb in (("char", 3.0 - body / 2), ("bpe", 3.0 - body / 2 + gap)) for seed in range(3)
    ]  # fmt: skip
    text = said(study(runs))
    assert text.startswith(
        "No tokenizer leads at size nano, where `char` is ahead of `bpe` by 0.001 bits per byte (95 % over 2 pairs:"
    )
    assert "), **not resolved**; at size micro `char` leads `bpe` by 0.300 (95 % over 2 pairs: " in text
    assert text.endswith("), resolved on this text.")


def test_warnings_come_before_any_figure_and_no_leader_is_named() -> None:
    runs = [run("word", bpb=[1.55], unk_rate=0.31, val_bpb_restoration=1.103), run("char", bpb=[2.5])]
    gzip = baseline("gzip", "adaptive", 1.5) | blocks_of(1.5)
    assert said(study(runs, baselines=[gzip])) == (
        "**These runs cannot say which tokenizer is better.** Too many tokens are unknown: 31% of those of `word`. "
        "Too much of the total is restoration: 71% of that of `word`. "
        "Every model is worse than gzip; the best, `word`, needs 1.550 bits per byte. "
        "For the record, the totals in bits per byte are 1.550 for `word` and 2.500 for `char`."
    )
    screen = first_screen(compared(study(runs, baselines=[gzip])))
    assert screen.command is None
    assert [markdown(line) for line in screen.settle] == [
        "Compare tokenizers that lose less of this text, such as `bpe` or `byte`.",
        "Train for longer, with a larger `budget`.",
    ]


def test_what_would_settle_it() -> None:
    def lines(sweep: str = "vocab_size", **needed: object) -> list[str]:
        wanted = dataclasses.replace(RESOLVED, **needed)  # type: ignore[arg-type]
        return [markdown(line) for line in settling_lines(wanted, sweep)]

    assert lines() == []
    assert lines(seeds=[0, 1, 2, 3]) == ["About 4 seeds a cell would settle it, as far as these few can tell."]
    assert lines(seeds=[0, 1, 2], one_seed=True) == ["One seed is an anecdote; three seeds a cell are a beginning."]
    assert lines("unnamed", seeds=[0, 1])[1:] == [
        "Repeat the command of this study with `seed=0,1`; what is done is not trained again."
    ]
    assert lines(too_many=70) == ["Some 70 seeds a cell would be needed: the difference is small beside chance."]
    assert lines(more_text=["nano", "micro"]) == [
        "Only a longer held-out text would settle the lead at sizes nano and micro; more seeds would not."
    ]


def test_the_command_is_that_of_a_named_sweep() -> None:
    needed = dataclasses.replace(RESOLVED, seeds=[0, 1, 2, 3])
    assert command("vocab_size", needed) == "python -m tokexp.run -m sweeps=vocab_size seed=0,1,2,3"
    assert command("vocab_size", RESOLVED) is None
    assert command("vocab_size-a1b2", needed) is None
    screen = first_screen(compared(dataclasses.replace(equal_steps(), name="vocab_size")))
    assert screen.command == "python -m tokexp.run -m sweeps=vocab_size seed=0,1,2"


def test_the_title_is_a_question() -> None:
    assert report_title(dataclasses.replace(equal_steps(), name="vocab_size")).startswith("How large a vocabulary")
    assert report_title(equal_steps()) == "Which of bpe, char and word needs the fewest bits per byte on text?"
    assert report_title(study([run("char")])) == "How many bits per byte does char need on text?"
    assert report_title(study([run("abcde"[:n]) for n in range(1, 6)])).startswith("Which of 5 tokenizers")


def test_the_main_table_has_few_columns_and_few_baselines() -> None:
    table = main_table(compared(seeds(0.5)))
    assert [str(column.heading) for column in table.columns] == [
        "tokenizer", "bytes/token", "bits per byte", "of which restoration", "parameters",
    ]  # fmt: skip
    names = [markdown(row[0]) for row in table.rows()]
    assert names == ["*PPMd (adaptive)*", "char", "*Kneser-Ney (static)*", "bpe", "*gzip (adaptive)*"]
    assert markdown(table.rows()[1][2]) == "2.010 ± 0.025"
    of_sizes = main_table(compared(two_sizes()))
    assert [markdown(cell) for cell in of_sizes.rows()[0][:2]] == ["word", "micro"]
    assert markdown(of_sizes.rows()[0][4]) == "0.400"


def test_models_that_counting_beats_are_said_to_be_underfit() -> None:
    made = seeds(0.5)
    both = pd.DataFrame([*counts_of("char", 1.5), *counts_of("bpe", 1.6)])

    def said(**bpb: float) -> str:
        rows = [row for arm, value in bpb.items() for row in counts_of(arm, value)]
        with_counts = dataclasses.replace(made, counts=pd.DataFrame(rows))
        return plain(counts_line(compared(with_counts)))

    assert said(char=1.5, bpe=1.6) == (
        "2 of 2 models need more bits than counts of their own tokens. So this is a ranking of underfit models."
    )
    assert said(char=2.0105, bpe=1.6).startswith(
        "1 of 2 models need more bits than counts of their own tokens; for 1 more"
    )
    late = dataclasses.replace(made, results=made.results.assign(best_val_bpb=1.9))
    assert "ranking of overfit models" in plain(counts_line(compared(dataclasses.replace(late, counts=both))))
    some = late.results.assign(best_val_bpb=late.results.best_val_bpb.where(late.results.arm == "char", 2.5))
    assert "of models that counting beats" in plain(
        counts_line(compared(dataclasses.replace(late, results=some, counts=both)))
    )
    assert said(char=1.5) == "The model needs more bits than counts of its own tokens."
    assert said(char=3.0, bpe=3.0) == ""


def test_the_main_table_has_the_counts_of_each_models_tokens() -> None:
    made = dataclasses.replace(seeds(0.5), counts=pd.DataFrame(counts_of("char", 2.31)))
    columns = {
        str(column.heading): [plain(line) for line in column.lines()] for column in main_table(compared(made)).columns
    }
    at = columns["tokenizer"].index("char")
    assert columns["counts of its tokens"][at] == "2.310"
    assert columns["ahead of counts by"][at].startswith("0.300 ± 0.0")
    assert columns["counts of its tokens"][columns["tokenizer"].index("bpe")] == ""
    assert "counts of its tokens" not in [column.heading for column in main_table(compared(seeds(0.5))).columns]
