"""What a terminal shows of a study."""

from __future__ import annotations

import made_up

from tokexp.rendering.terminal import ranking_rows, ranking_table


def test_the_ranking_has_intervals_where_there_are_seeds() -> None:
    runs = [made_up.run("char", seed, [bpb]) for seed, bpb in enumerate((2.4, 2.5, 2.6))]
    runs.append(made_up.run("word", bpb=[2.0], val_bpb_restoration=0.25))
    lines = [line.split() for line in ranking_table(ranking_rows(made_up.study(runs))).splitlines()[2:]]
    assert lines == [["word", "2.000", "0.250", "1"], ["char", "2.500", "±", "0.248", "3"]]
