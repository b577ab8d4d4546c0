"""Refuses a tokenizer whose spans do not tile the text, and one that is lossy and declares itself lossless."""

from __future__ import annotations

import numpy as np

from tokexp.tokenizer import Tokenizer


def check_spans(tokenizer: Tokenizer, ids: list[int], spans: np.ndarray, raw: bytes) -> None:
    """Raise ValueError where spans (tokens, 2) do not tile `raw`, or a lossless kind's ids do not write it.

    It is quick enough for every text that is encoded, the training part included. Lossless means that the
    tokens' bytes, end to end, are the text: a text that was folded, collapsed or normalised does not pass.
    """
    subject = f"tokenizer kind {tokenizer.kind!r}"
    if len(ids) != len(spans):
        raise ValueError(f"{subject}: got {len(spans)} spans, expected {len(ids)}, one a token; correct its spans")
    starts, ends = spans[:, 0], spans[:, 1]
    due = np.concatenate([[0], ends[:-1]])
    if len(wrong := np.flatnonzero((starts != due) | (ends < starts))):
        at = wrong[0]
        raise ValueError(
            f"{subject}: got bytes {starts[at]} to {ends[at]} as the span of token {at}, expected it to begin at "
            f"{due[at]} and not to end before; make its spans tile the text"
        )
    if len(spans) and ends[-1] != len(raw):
        raise ValueError(
            f"{subject}: got spans that end at byte {ends[-1]}, expected the text's end at {len(raw)}; "
            "count UTF-8 bytes of the text that was given, not characters nor what decoding gives back"
        )
    if not tokenizer.lossless:
        return
    written = tokenizer.token_bytes()
    lengths = np.array([len(token) for token in written])[np.array(ids, dtype=np.int64)]
    if b"".join([written[i] for i in ids]) != raw or not np.array_equal(lengths, ends - starts):
        pairs = ((written[i], raw[start:end]) for i, (start, end) in zip(ids, spans.tolist(), strict=True))
        at, got, expected = next(((n, *pair) for n, pair in enumerate(pairs) if pair[0] != pair[1]), (0, b"", raw))
        raise ValueError(
            f"{subject} declares itself lossless, but the bytes of token {at} are not those of its span: "
            f"got {got[:40]!r}, expected {expected[:40]!r}; correct token_bytes() or the spans, or declare it lossy"
        )


def check_claim(tokenizer: Tokenizer, text: str) -> None:
    """Raise ValueError where a tokenizer declares itself lossless and `text` shows that it is not.

    Its spans are checked too: its ids are counted by what they write, but samples are shown by spans.
    """
    if not tokenizer.lossless:
        return
    got = tokenizer.decode(tokenizer.encode(text))
    if got != text:
        at = next((i for i, (a, b) in enumerate(zip(got, text, strict=False)) if a != b), min(len(got), len(text)))
        raise ValueError(
            f"tokenizer kind {tokenizer.kind!r} declares itself lossless, but decode(encode(text)) differs from text "
            f"at character {at}: got {got[at : at + 20]!r}, expected {text[at : at + 20]!r}; "
            "correct encode() or decode(), or declare it lossy"
        )
    ids, spans = tokenizer.encode_with_spans(text)
    check_spans(tokenizer, ids, np.array(spans, dtype=np.int64).reshape(-1, 2), text.encode())
