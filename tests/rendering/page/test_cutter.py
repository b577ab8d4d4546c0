"""The tokenizers in a page's script cut texts as Python's do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nasty import NASTY, TRICKY

from tokexp.rendering.page.cutter import CUT_IN_A_BROWSER, for_browser
from tokexp.rendering.page.page import TEMPLATES
from tokexp.runs.study import read_study
from tokexp.system.files import sha256
from tokexp.tokenizer import Tokenizer, train_tokenizer
from tokexp.tokenizer.base import UNK, saved_text
from tokexp.tokenizer.bpe import BPETokenizer

REPORTS = Path(__file__).parent.parent.parent.parent / "reports"

LIKE_THE_BROWSERS = """
const {cases, texts} = JSON.parse(require("fs").readFileSync(0));
const cut = cases.map((one) => { const encode = encoders[one.kind](one); return texts.map((text) => encode(text)); });
console.log(JSON.stringify(cut));
"""
SIZED = ("bpe", "bpe_fallback", "bpe_classic", "sp_unigram")
KINDS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in ("byte", "char", "word", "word_cased", "bpe_fallback", "bpe_classic", "sp_unigram")),
    ("char", {"byte_fallback": True, "vocab_size": 290}),
    *(("bpe", {"pattern": pattern}) for pattern in ("gpt2", "gpt4", "none")),
]
TEXTS = [
    *NASTY.values(),
    TRICKY,
    "\x1c \x1d\x85\u1680\u2028\ufeff\u180e x\x1f",  # white space, of one standard or another
    "ΌΔΟΣ Σ ΑΣ. ΑΣΑ \u0130\u0130 don'\u017fx'sx 'S 'LL Ⅷ ½ ٣ _a_b-c",  # capitals, signs and numbers
    "end \n\n", " \t\n \r\n  a\n b", "a  \n\nb   ", "12345 a1b22 abcdecde",
    "\U0001f451king\U0001f451\U0001f451", "x" * 600,
    "34 34 34 34 1\u017fx1\u017fx1\u017fx",  # which make pairs that a pattern must not let be joined
]  # fmt: skip


def in_node(tokenizers: list[dict[str, Any]], texts: list[str] = TEXTS) -> Any:
    """The tokens, [id, bytes] each, of every text under every tokenizer as `cut.js` cuts it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    script = (TEMPLATES / "cut.js").read_text(encoding="utf-8") + LIKE_THE_BROWSERS
    given = json.dumps({"cases": tokenizers, "texts": texts})
    run = subprocess.run([node, "-e", script], input=given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def expected(tokenizer: Tokenizer, text: str) -> list[list[int]]:
    ids, spans = tokenizer.encode_with_spans(text)
    return [[i, end - start] for i, (start, end) in zip(ids, spans, strict=True)]


def test_a_browser_cuts_as_python_does(text: str, tmp_path: Path) -> None:
    """With tokenizers to which most of the texts are new, and with ones that join all that they may."""
    made: dict[str, Tokenizer] = {
        "of two pairs that write the same": BPETokenizer([(68, 69), (69, 70), (260, 70), (68, 261), (71, 72)])
    }
    for learned, vocab_size in ((text, 330), ("\n".join(TEXTS * 2), 9999)):
        for kind, own in KINDS:
            settings = {**own, **({"vocab_size": vocab_size} if kind in SIZED else {})}
            made[f"{kind} {settings}"] = train_tokenizer(kind, learned, **settings)
    saved = []
    for tokenizer in made.values():
        tokenizer.save(tmp_path / "tokenizer.json")
        saved.append(for_browser(json.loads((tmp_path / "tokenizer.json").read_bytes())))
    assert {tokenizer.kind for tokenizer in made.values()} == set(CUT_IN_A_BROWSER)
    for (name, tokenizer), cut in zip(made.items(), in_node(saved), strict=True):
        for given, tokens in zip(TEXTS, cut, strict=True):
            assert tokens == expected(tokenizer, given), f"{name}: {given!r}"


def test_the_committed_vocabularies_cut_as_their_runs_did() -> None:
    """The passage of `segments.jsonl`, which Python cut when the runs were made."""
    saved: dict[str, dict[str, Any]] = {}
    passages: dict[str, dict[str, Any]] = {}
    for data in REPORTS.glob("*/data"):
        if not (REPORTS.parent / f"sweeps/{data.parent.name}.yaml").is_file():
            continue  # of one's own, which need not be small
        study = read_study(data.parent.name, data)
        saved |= study.tokenizers
        digest_of = study.results.set_index("name").tokenizer_sha256
        passages |= {digest_of[row["name"]]: row for row in study.segments if row["of"] == "held out"}
    assert set(passages) == set(saved)
    for digest, tokenizer in saved.items():
        assert sha256(saved_text(tokenizer).encode()) == digest
    shown = [digest for digest, tokenizer in saved.items() if tokenizer["kind"] in CUT_IN_A_BROWSER]
    (text,) = {passages[digest]["text"] for digest in shown}
    for digest, (tokens,) in zip(shown, in_node([for_browser(saved[d]) for d in shown], [text]), strict=True):
        assert [n for _, n in tokens] == passages[digest]["bytes"], saved[digest]["kind"]
        assert [i for i, (token, _) in enumerate(tokens) if token == UNK] == passages[digest]["unknown"]
