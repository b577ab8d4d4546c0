"""Gets a text, makes sure that it is the right one, and splits it *as text*, before any tokenizer sees it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tokexp.config import DataConfig, InputError
from tokexp.data.pinned import UnreachableError, find
from tokexp.data.text import decode, pydoc_text, read_text, text_files, text_name
from tokexp.system.cache import cached, source_hash
from tokexp.system.files import sha256
from tokexp.system.provenance import versions

log = logging.getLogger(__name__)

SHAKESPEARE = Path("tinyshakespeare/input.txt")
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


@dataclass(frozen=True)
class Corpus:
    """A text in two parts. A tokenizer and a model learn from `train` alone; both are scored on `val`."""

    name: str
    train: str
    val: str
    sha256: str  # of the text before the split, as UTF-8; where the held-out text is given apart, without that

    @cached_property
    def train_sha256(self) -> str:
        return sha256(self.train.encode())

    @cached_property
    def val_sha256(self) -> str:
        return sha256(self.val.encode())

    @cached_property
    def val_bytes(self) -> int:
        """UTF-8 bytes of the held-out text: what every bits-per-byte figure is divided by."""
        return len(self.val.encode())


def cached_for(
    corpus: Corpus, what: dict[str, Any], build: Callable[[Path], None], *modules: str, **libraries: str
) -> Path:
    """The cached folder of something that `modules` make of both parts of a corpus; see `cache.cached`.

    `what`: what else decides it, its name included; `libraries`: versions that `provenance.PACKAGES` lack. It is made
    anew where one of the texts, the code or the version of a package is another.
    """
    texts = {"train": corpus.train_sha256, "val": corpus.val_sha256}
    code = {"code": source_hash(*modules), "versions": {**versions(), **libraries}}
    return cached({**what, **texts, **code}, build)


def load_corpus(cfg: DataConfig) -> Corpus:
    """The corpus that `cfg` asks for, split. Raises InputError, one line, when it cannot be had."""
    path = tuple(cfg.path) if isinstance(cfg.path, list) else cfg.path
    files = text_files(path) if cfg.name == "text" and path else []
    files += [Path(cfg.val_path)] if cfg.val_path else []
    stamps = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())
    return _load_corpus(cfg.name, path, cfg.val_fraction, cfg.val_path, cfg.val_max_bytes, stamps)


@lru_cache(maxsize=2)  # the runs of a sweep share one text
def _load_corpus(
    name: str,
    path: Any,
    val_fraction: float,
    val_path: str | None,
    val_max_bytes: int | None,
    stamps: tuple[tuple[int, int], ...],  # of the files, so that a text that was changed is read again
) -> Corpus:
    name, text = _read(name, path)
    if val_path is None:
        cut = int(len(text) * (1 - val_fraction))
        train, val = text[:cut], text[cut:]
    else:
        train, val = text, read_text(Path(val_path))
        if val and val in train:
            raise InputError(f"data.val_path={val_path} is a part of the training text; give a text that is not")
    if val_max_bytes is not None:
        val = val.encode()[:val_max_bytes].decode("utf-8", errors="ignore")  # a character cut in two is dropped
    for part, text_of_part in (("training", train), ("held-out", val)):
        if not text_of_part.strip():
            what = "is only white space" if text_of_part else "is empty"
            source = f" ({val_path})" if part == "held-out" and val_path else ""
            raise InputError(
                f"corpus {name}: the {part} part{source} {what}, of {len(train) + len(val)} characters in all; "
                "give a longer text, or another data.val_fraction, data.val_path or data.val_max_bytes"
            )
    return Corpus(name, train, val, sha256(text.encode()))


def _read(name: str, path: Any) -> tuple[str, str]:
    """The corpus's name, which data=auto leaves open, and its text before the split."""
    if name == "text":
        if path is None:
            raise InputError("data=text needs data.path: a UTF-8 text file, a folder or a list of them")
        return text_name(path), "\n".join(read_text(file) for file in text_files(path))
    if name == "pydoc":
        return "pydoc", pydoc_text()
    try:
        file = find(SHAKESPEARE, SHAKESPEARE_SHA256, SHAKESPEARE_URL, path)
    except UnreachableError as error:
        if name != "auto":
            raise InputError(str(error)) from error
        log.warning("! %s", error)
        log.warning("! data=auto falls back to pydoc, the text of Python's own help: NOT TinyShakespeare")
        return "pydoc", pydoc_text()
    return "tinyshakespeare", decode(file.read_bytes(), str(file))
