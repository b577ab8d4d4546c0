"""Writes tokenizers in the format of Hugging Face's `tokenizer.json`, with the same ids and the same text back.

For every kind that the format can say; the others are refused, with the reason. There our specials are
ordinary entries of the vocabulary that no text reaches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from tokexp.config import InputError
from tokexp.system.files import write_text
from tokexp.tokenizer.base import BOS, EOS, PAD, SPECIALS, UNK, Tokenizer
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.bpe_classic import END, UNKNOWN, WORD_OR_NEWLINE, BPEClassicTokenizer
from tokexp.tokenizer.bpe_fallback import FIRST_BYTE, FIRST_CHAR, PRETOKEN, BPEFallbackTokenizer
from tokexp.tokenizer.byte import ByteTokenizer
from tokexp.tokenizer.char import CharTokenizer
from tokexp.tokenizer.foreign.file import FileTokenizer
from tokexp.tokenizer.foreign.hf import HFBPETokenizer, HFWordPieceTokenizer
from tokexp.tokenizer.gpt2 import BYTE_OF_CHAR, END_OF_TEXT, GPT2Tokenizer
from tokexp.tokenizer.split import PATTERNS
from tokexp.tokenizer.word import NO_SPACE_AFTER, NO_SPACE_BEFORE, WordTokenizer

UNK_NAME = SPECIALS[UNK]
END_NAME = "<|endoftext|>"  # GPT-2's one special
_SHOW_UNK = decoders.Replace(Regex(rf"\A{UNK_NAME}\z"), UNKNOWN)
_CHAR_OF_BYTE = {byte[0]: char for char, byte in BYTE_OF_CHAR.items()}


def export_hf(tokenizer: Tokenizer, path: Path | str) -> None:
    """Write `tokenizer` as a `tokenizer.json`. Raises InputError for a kind that the format cannot say."""
    write_hf(to_hf(tokenizer), path)


def write_hf(built: tokenizers.Tokenizer, path: Path | str) -> None:
    """Write what `to_hf` made as a `tokenizer.json`."""
    write_text(Path(path), built.to_str(pretty=True) + "\n")


def to_hf(tokenizer: Tokenizer) -> tokenizers.Tokenizer:
    """`tokenizer` in the library's form. Raises InputError for a kind that the format cannot say."""
    for kind, build in BUILDERS.items():
        if type(tokenizer) is kind:
            result = build(tokenizer)
            if kind is not FileTokenizer and result.get_vocab_size() != tokenizer.vocab_size:
                raise InputError(
                    f"kind {tokenizer.kind!r} cannot be said in tokenizer.json this time: the training text spells a "
                    "name that the format needs for itself, such as <unk> or <0x41>"
                )
            return result
    known = ", ".join(kind.kind for kind in BUILDERS)
    reason = WHY_NOT.get(tokenizer.kind, "it is not known how")
    raise InputError(f"kind {tokenizer.kind!r} has no form in tokenizer.json ({reason}); expected one of {known}")


WHY_NOT = {
    "word_cased": "a word list that spells unknown words in bytes",
    "hf_unigram": "its ids would move: a Unigram model cannot hold entries that no text reaches",
    "sp_bpe": "the library's own .model is the form that other tools read",
    "sp_unigram": "the library's own .model is the form that other tools read",
    "file": "it is a SentencePiece .model or tiktoken ranks, which other tools read as they are",
}


def named_specials(tokenizer: Tokenizer) -> dict[str, tuple[str, int]]:
    """The name and id of the special in each role: pad, unk, bos, eos. Empty for a file, whose names differ."""
    if isinstance(tokenizer, GPT2Tokenizer):
        return dict.fromkeys(("unk", "bos", "eos"), (END_NAME, END_OF_TEXT))
    if isinstance(tokenizer, FileTokenizer):
        return {}
    return {role: (SPECIALS[i], i) for role, i in {"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS}.items()}


def shown(written: bytes) -> str:
    """Bytes as byte-level vocabularies show them."""
    return "".join(_CHAR_OF_BYTE[byte] for byte in written)


def _byte_level(token_bytes: list[bytes], merges: list[tuple[int, int]], pattern: str) -> tokenizers.Tokenizer:
    names = {i: shown(written) for i, written in enumerate(token_bytes) if written}
    specials = dict(enumerate(SPECIALS)) if not token_bytes[0] else {END_OF_TEXT: END_NAME}
    vocab = {name: i for i, name in {**specials, **names}.items()}
    result = tokenizers.Tokenizer(models.BPE(vocab, [(names[a], names[b]) for a, b in merges]))
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if pattern == "none":
        result.pre_tokenizer = bytes_only
    else:
        cut = pre_tokenizers.Split(Regex(PATTERNS[pattern][0]), "isolated")
        result.pre_tokenizer = pre_tokenizers.Sequence([cut, bytes_only])
    result.decoder = decoders.ByteLevel()
    return result


def _bpe(tokenizer: BPETokenizer) -> tokenizers.Tokenizer:
    return _byte_level(tokenizer.token_bytes(), tokenizer.merges, tokenizer.pattern)


def _byte(tokenizer: ByteTokenizer) -> tokenizers.Tokenizer:
    return _byte_level(tokenizer.token_bytes(), [], "none")


def _char(tokenizer: CharTokenizer) -> tokenizers.Tokenizer:
    vocab = {name: i for i, name in enumerate(SPECIALS)}
    if tokenizer.byte_fallback:
        vocab |= {f"<0x{byte:02X}>": len(SPECIALS) + byte for byte in range(256)}
    vocab |= {char: i for i, char in enumerate(tokenizer.alphabet, start=len(vocab))}
    model = models.BPE(vocab, [], unk_token=UNK_NAME, byte_fallback=tokenizer.byte_fallback)
    result = tokenizers.Tokenizer(model)
    result.decoder = decoders.Sequence([_SHOW_UNK, decoders.ByteFallback(), decoders.Fuse()])
    return result


def _word(tokenizer: WordTokenizer) -> tokenizers.Tokenizer:
    vocab = {word: i for i, word in enumerate([*SPECIALS, *tokenizer.words])}
    result = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token=UNK_NAME))
    result.normalizer = normalizers.Lowercase()
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # Python's \w, spelled out: there it takes no combining marks.
            pre_tokenizers.Split(Regex(r"[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]|\n"), "isolated"),
            pre_tokenizers.Split(Regex(r"[^\S\n]+"), "removed"),
        ]
    )
    before, after = (re.escape("".join(sorted(chars))) for chars in (NO_SPACE_BEFORE, NO_SPACE_AFTER))
    result.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # a space between any two: no word begins with ##
            decoders.Fuse(),
            decoders.Replace(Regex(f" (?=[{before}])|(?<=[{after}]) "), ""),
        ]
    )
    return result


def _fallback(tokenizer: BPEFallbackTokenizer) -> tokenizers.Tokenizer:
    names = {i: piece.decode() for i, piece in enumerate(tokenizer.token_bytes()) if i >= FIRST_CHAR}
    names |= {FIRST_BYTE + byte: f"<0x{byte:02X}>" for byte in range(256)} | dict(enumerate(SPECIALS))
    merges = [(names[a], names[b]) for a, b in tokenizer.merges]
    model = models.BPE({name: i for i, name in names.items()}, merges, unk_token=UNK_NAME, byte_fallback=True)
    result = tokenizers.Tokenizer(model)
    result.pre_tokenizer = pre_tokenizers.Split(Regex(PRETOKEN.pattern), "isolated")
    result.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return result


def _classic(tokenizer: BPEClassicTokenizer) -> tokenizers.Tokenizer:
    names = dict(enumerate([*SPECIALS, *(piece.replace(END, "</w>") for piece in tokenizer.written)]))
    merges = [(names[a], names[b]) for a, b in tokenizer.merges]
    vocab = {name: i for i, name in names.items()}
    if any(piece.endswith("</w>") for piece in tokenizer.written):
        raise InputError("the text has </w> as characters, which tokenizer.json cannot tell from the end of a word")
    model = models.BPE(vocab, merges, unk_token=UNK_NAME, end_of_word_suffix="</w>", fuse_unk=False)
    result = tokenizers.Tokenizer(model)
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_OR_NEWLINE.pattern), "isolated"),
            pre_tokenizers.Split(Regex(r"[^\S\n]+"), "removed"),
        ]
    )
    result.decoder = decoders.Sequence(
        [
            _SHOW_UNK,
            decoders.Replace(Regex(r"</w>\z"), END),
            decoders.Fuse(),
            decoders.Replace(f"\n{END}", "\n"),
            decoders.Replace(f"{END}\n", "\n"),
            decoders.Replace(Regex(rf"{END}\z"), ""),
            decoders.Replace(END, " "),
        ]
    )
    return result


def _wordpiece(tokenizer: HFWordPieceTokenizer) -> tokenizers.Tokenizer:
    settings: dict[str, Any] = json.loads(json.dumps(tokenizer.settings))
    names = [*SPECIALS, *tokenizer.shown]
    settings["model"] |= {"vocab": {name: i for i, name in enumerate(names)}, "unk_token": UNK_NAME}
    result = tokenizers.Tokenizer.from_str(json.dumps(settings))
    result.decoder = decoders.Sequence(
        [
            _SHOW_UNK,
            decoders.WordPiece(prefix="##", cleanup=False),
            decoders.Fuse(),
            decoders.Replace(Regex(r"\A##"), ""),  # the first piece of all keeps its mark there
        ]
    )
    return result


def _hf_bpe(tokenizer: HFBPETokenizer) -> tokenizers.Tokenizer:
    settings: dict[str, Any] = json.loads(json.dumps(tokenizer.settings))
    settings["model"]["vocab"] = {name: i for i, name in enumerate([*SPECIALS, *tokenizer.shown])}
    result = tokenizers.Tokenizer.from_str(json.dumps(settings))
    result.decoder = decoders.ByteLevel()
    return result


def _file(tokenizer: FileTokenizer) -> tokenizers.Tokenizer:
    """The file, less what makes more or fewer ids than a text has: its special tokens are text here too."""
    try:
        settings = json.loads(tokenizer.content)
        added = [token for token in settings.get("added_tokens", []) if not token.get("special")]
        result = tokenizers.Tokenizer.from_str(json.dumps({**settings, "added_tokens": added, "post_processor": None}))
    except (ValueError, AttributeError):
        raise InputError(f"kind 'file' has no form in tokenizer.json ({WHY_NOT['file']})") from None
    if result.decoder is None and '"ByteLevel"' in json.dumps(settings["pre_tokenizer"]):
        result.decoder = decoders.ByteLevel()
    return result


BUILDERS: dict[type[Tokenizer], Callable[[Any], tokenizers.Tokenizer]] = {
    ByteTokenizer: _byte,
    CharTokenizer: _char,
    WordTokenizer: _word,
    BPETokenizer: _bpe,
    GPT2Tokenizer: _bpe,
    BPEFallbackTokenizer: _fallback,
    BPEClassicTokenizer: _classic,
    HFBPETokenizer: _hf_bpe,
    HFWordPieceTokenizer: _wordpiece,
    FileTokenizer: _file,
}
