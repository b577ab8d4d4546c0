"""What was chosen by looking at held-out text, of made-up runs: still at its value, and on which text."""

from __future__ import annotations

import dataclasses

from made_up import baseline, compared, counts_of, on_test, run, seeds, study

from tokexp.analysis.statements.chosen import Where, choices
from tokexp.runs.study import Study
from tokexp.scoring.baselines import ORDERS, PPMD_ORDER

RATE = "train.lr=2e-3 by runs of char on text"


def chosen(made: Study) -> list[tuple[str, str, Where]]:
    return [(one.chosen.setting, one.chosen.value, one.where) for one in choices(compared(made))]


def with_rate(rate: float, tuned: str = RATE, **columns: object) -> Study:
    return study([run("char", settings={"train.lr": rate}, tuned=tuned, **columns)])


def test_a_setting_counts_where_it_still_has_the_chosen_value() -> None:
    assert chosen(with_rate(0.002)) == [("train.lr", "2e-3", Where.RANKS)]
    assert chosen(with_rate(0.004)) == []
    assert chosen(study([run("char", tuned=RATE)])) == [], "a run without that setting"
    size = "model=nano by runs of char on text"
    assert chosen(with_rate(0.004, f"{RATE}; {size}")) == [("model", "nano", Where.RANKS)]
    assert chosen(with_rate(0.004, size, size="micro")) == []
    both = study([run("char", settings={"train.lr": rate}, tuned=RATE) for rate in (0.002, 0.004)])
    assert chosen(both) == [("train.lr", "2e-3", Where.RANKS)], "of one run of two"


def test_which_text_it_was_chosen_on() -> None:
    elsewhere = RATE.replace("on text", "on plays")
    assert chosen(with_rate(0.002, elsewhere)) == [("train.lr", "2e-3", Where.ELSEWHERE)]
    ranked_on_test = study([on_test("char", settings={"train.lr": 0.002}, tuned=RATE)])
    assert chosen(ranked_on_test) == [("train.lr", "2e-3", Where.VALIDATION)]


def test_older_runs_say_it_in_free_words() -> None:
    made = seeds(0.5)
    of_old = dataclasses.replace(made, results=made.results.assign(tuned="train.lr by hand; the model, with char"))
    assert chosen(of_old) == [("the model, with char", "", Where.RANKS), ("train.lr by hand", "", Where.RANKS)]


def test_orders_of_baselines_are_collected_from_the_code_and_from_the_rows() -> None:
    orders = [baseline(f"Kneser-Ney {order}", "static", 3 - order / 10) for order in ORDERS]
    worse = {**orders[-1], "val_bpb": 2.9}
    ppmd = baseline(f"PPMd {PPMD_ORDER}", "adaptive", 2.0)
    assert chosen(study([run("char")], baselines=[*orders[:-1], worse, ppmd])) == [
        ("highest order of Kneser-Ney", "6", Where.ELSEWHERE),
        ("order of PPMd", "6", Where.ELSEWHERE),
        ("order of Kneser-Ney", "5", Where.RANKS),
    ]
    counted = study([run("char"), run("bpe")], counts=[*counts_of("char", 2.5, order=6), *counts_of("bpe", 2.5)])
    assert chosen(counted) == [("orders of counts of own tokens", "3, 6", Where.RANKS)]
    of_shakespeare = study([run("char", corpus="tinyshakespeare")], baselines=[ppmd])
    assert chosen(of_shakespeare) == [("order of PPMd", "6", Where.RANKS)]
    assert chosen(study([run("char")], baselines=[orders[0]])) == [], "one order is no choice"
