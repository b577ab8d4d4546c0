"""Further held-out texts: totals, differences, and where the order is another."""

from __future__ import annotations

import pytest
from made_up import compared, named, of_documents, seeds, with_units

from tokexp.analysis.chance.verdicts import Reason
from tokexp.analysis.texts.held_out import on_texts, turns


def test_without_further_texts_there_is_nothing() -> None:
    assert on_texts(compared(of_documents())) == []
    assert on_texts(compared(seeds(0.5))) == []


def test_the_order_may_be_another_on_a_further_text() -> None:
    """Characters are ahead by 0.5 where it ranks and on letters, and behind by 0.5 on news."""
    made = with_units(of_documents(0.5), "news", more={"char": 1.0})
    made = with_units(made, "letters", count=4)
    ranking, letters, news = on_texts(compared(made))
    assert (ranking.name, letters.name, news.name) == ("test", "letters", "news")
    assert ranking.ranks
    assert named(news.totals)["char"].value == pytest.approx(3.001, rel=1e-3)
    assert news.totals[compared(made).cells[0]].half is not None
    by_text = [list(text.differences.values()) for text in (ranking, letters, news)]
    assert [one.mean for (one,) in by_text] == pytest.approx([0.5, 0.5, -0.5], abs=0.02)
    assert (by_text[1][0].over_text, by_text[1][0].verdict.reason) == (None, Reason.ON_THIS_TEXT)
    assert by_text[2][0].over_text is not None
    assert by_text[2][0].verdict.reason is Reason.RESOLVED
    (turn,) = turns([ranking, letters, news])
    assert (turn.text, str(turn.ahead), str(turn.behind), turn.resolved) == ("news", "bpe", "char", True)
