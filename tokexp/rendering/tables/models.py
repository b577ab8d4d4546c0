"""The tables of what was compared: tokenizers, parameters, costs, and what could have been known without training."""

from __future__ import annotations

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.correlation import correlations
from tokexp.analysis.statements.chosen import Where, choices
from tokexp.analysis.vocabulary import Optimum, Says, optima
from tokexp.rendering.tables.columns import Absent, Column, Number, Percentiles, Table, table
from tokexp.rendering.tables.scores import columns_of_means, of_means
from tokexp.rendering.text import listed, plain

# heading, column of results.csv, form
COST = [
    ("steps", "steps", ",.0f"),
    ("tokens", "tokens_seen", ",.0f"),
    ("bytes", "bytes_seen", ",.0f"),
    ("epochs", "epochs", ".2f"),
    ("FLOPs", "flops", ".2e"),
    ("seconds", "train_seconds", ".1f"),
    ("tokens/s", "tokens_per_second", ",.0f"),
]
PARAMETERS = [
    ("vocabulary", "vocab_size", ",.0f"),
    ("token embedding", "params_token_embedding", ",.0f"),
    ("position embedding", "params_position_embedding", ",.0f"),
    ("LM head", "params_lm_head", ",.0f"),
    ("transformer body", "params_body", ",.0f"),
    ("total", "params_total", ",.0f"),
    ("embedding-related", "embedding_share", ".1%"),
]
TOKENIZERS = [
    ("vocabulary", "vocab_size", ",.0f"),
    ("used", "vocab_used", ",.0f"),
    ("bytes/token", "bytes_per_token", ".3f"),
    ("tokens/word", "fertility", ".3f"),
    ("words split", "words_split", ".1%"),
    ("unknown", "unk_rate", ".2%"),
    ("byte fallback", "byte_fallback_rate", ".2%"),
]
COSTS_OF_TOKENIZERS = [
    ("longest", "token_bytes_max", ",.0f"),
    ("unigram entropy, bits", "unigram_entropy", ".3f"),
    ("Rényi efficiency", "renyi_efficiency", ".3f"),
    ("training, s", "tokenizer_train_seconds", ".2f"),
    ("encoding, s", "tokenizer_encode_seconds", ".2f"),
]
TEXTS = {
    Where.RANKS: "the text that ranks",
    Where.VALIDATION: "the validation part",
    Where.ELSEWHERE: "another text",
}
UNSAID = {
    Says.ONE_SEED: "one seed does not say",
    Says.NO_PARTS: "not known, since the held-out text is known only as a whole",
    Says.MISFIT: "this text does not say: the sizes lie on no smooth curve",
    Says.SPREAD: "this text does not say: any of {plausible} may be the best",
    Says.EDGE: "this text does not say: it may lie beyond what was tried",
}


def cost_table(comparison: Comparison) -> Table:
    return of_means(comparison, COST)


def parameter_table(comparison: Comparison) -> Table:
    return of_means(comparison, PARAMETERS)


def tokenizer_table(comparison: Comparison) -> Table:
    lengths = comparison.means[["token_bytes_p10", "token_bytes_p50", "token_bytes_p90"]].values.tolist()
    percentiles = Column("bytes of a token, 10/50/90 %", [Percentiles(*row) for row in lengths], name="token_bytes")
    return Table(
        [*of_means(comparison, TOKENIZERS).columns, percentiles, *columns_of_means(comparison, COSTS_OF_TOKENIZERS)]
    )


def optimum_table(comparison: Comparison) -> Table:
    rows = optima(comparison)
    if not rows:
        return Table()
    best = [Number(row.best, ",", f" ({row.best_bpb:.3f} bits per byte)") for row in rows]
    return table(
        Column("run", [f"{row.arm} {row.size}" for row in rows]),
        Column("vocabularies tried", [row.tried for row in rows], ",", "tried"),
        Column("the best of them", best, name="best"),
        Column(
            "how often each is the best", [row.drawn and list(row.drawn.best.values()) for row in rows], ".0%", "drawn"
        ),
        Column("optimum", [_optimum(row) for row in rows]),
        Column("95 %, over seeds and text", [row.drawn and row.drawn.interval for row in rows], ",.0f", "interval"),
        Column("p of lack of fit", [row.misfit for row in rows], ".2g", "misfit_p"),
    )


def _optimum(row: Optimum) -> Number | Absent:
    return Number(row.lowest, ",.0f") if row.says is Says.OPTIMUM else Absent(unsaid(row))


def unsaid(row: Optimum) -> str:
    """Why the optimum is not given."""
    plausible = plain(listed([[f"{v:,}"] for v in row.drawn.plausible])) if row.drawn else ""
    return UNSAID[row.says].format(plausible=plausible)


def optimum_rows(comparison: Comparison) -> Table:
    """The table for machines: tokenizer, size and the score of the best apart."""
    rows = optima(comparison)
    if not rows:
        return Table()
    return table(
        Column("arm", [row.arm for row in rows]),
        Column("size", [row.size for row in rows]),
        *optimum_table(comparison).columns[1:],
        Column("best_val_bpb", [row.best_bpb for row in rows]),
    )


def chosen_table(comparison: Comparison) -> Table:
    rows = choices(comparison)
    if not rows:
        return Table()
    return table(
        Column("setting", [row.chosen.setting for row in rows]),
        Column("chosen", [row.chosen.value for row in rows], name="value"),
        Column("by", [row.chosen.by for row in rows]),
        Column("on the held-out text of", [row.chosen.on for row in rows], name="on"),
        Column("which is", [TEXTS[row.where] for row in rows], name="text"),
    )


def prediction_table(comparison: Comparison) -> Table:
    rows = correlations(comparison)
    if not rows:
        return Table()
    return table(
        Column("model", [row.size for row in rows]),
        Column("known without training", [row.predictor for row in rows], name="predictor"),
        Column("cells", [row.cells for row in rows]),
        Column("rank correlation with bits per byte", rows, name="rank_correlation"),
        Column("interval", ["includes zero" if row.interval.has_zero else "excludes zero" for row in rows]),
    )
