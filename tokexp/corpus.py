"""Get a text, make sure that it is the right one, and split it *as text*, before any tokenizer sees it."""

from __future__ import annotations

import hashlib
import http.client
import importlib
import logging
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tokexp.config import DataConfig, InputError
from tokexp.files import replacing
from tokexp.provenance import ROOT

log = logging.getLogger(__name__)

CACHE = ROOT / "data"  # git-ignored; what was found or downloaded once

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
    name, raw = _read(name, path)
    text = decode(raw, name)
    if val_path is None:
        cut = int(len(text) * (1 - val_fraction))
        train, val = text[:cut], text[cut:]
    else:
        train, val = text, decode(read_bytes(Path(val_path)), val_path)
        if val and val in train:
            raise InputError(f"data.val_path={val_path} is a part of the training text; give a text that is not")
    if val_max_bytes is not None:
        val = val.encode()[:val_max_bytes].decode("utf-8", errors="ignore")  # a character cut in two is dropped
    for part, piece in (("training", train), ("held-out", val)):
        if not piece.strip():
            what = "is only white space" if piece else "is empty"
            source = f" ({val_path})" if part == "held-out" and val_path else ""
            raise InputError(
                f"corpus {name}: the {part} part{source} {what}, of {len(train) + len(val)} characters in all; "
                "give a longer text, or another data.val_fraction, data.val_path or data.val_max_bytes"
            )
    return Corpus(name, train, val, sha256(raw))


def _read(name: str, path: Any) -> tuple[str, bytes]:
    if name == "text":
        if path is None:
            raise InputError("data=text needs data.path: a UTF-8 text file, a folder or a list of them")
        return _text_name(path), b"\n".join(read_bytes(file) for file in text_files(path))
    if name == "pydoc":
        return "pydoc", pydoc_text().encode()
    try:
        file = find(SHAKESPEARE, SHAKESPEARE_SHA256, SHAKESPEARE_URL, path)
    except UnreachableError as error:
        if name != "auto":
            raise InputError(str(error)) from error
        log.warning("! %s", error)
        log.warning("! data=auto falls back to pydoc, the text of Python's own help: NOT TinyShakespeare")
        return "pydoc", pydoc_text().encode()
    return "tinyshakespeare", file.read_bytes()


def find(relative: Path, digest: str, url: str, path: str | None = None) -> Path:
    """A pinned file: in `path`, in the folder TOKEXP_DATA, in `data/`, else downloaded into `data/`.

    What is found elsewhere is copied into `data/`. Raises InputError where a file has another
    SHA-256 than `digest`, UnreachableError where there is none and no network either.
    """
    cached = CACHE / relative
    places = [Path(path) / relative] if path is not None else []
    places += [Path(folder) / relative for folder in [os.environ.get("TOKEXP_DATA")] if folder]
    for place in [*places, cached]:
        if place.is_file():
            got = sha256(place.read_bytes())
            if got != digest:
                raise InputError(f"{place}: got SHA-256 {got}, expected {digest}; delete or replace that file")
            if place != cached and not cached.exists():
                try:
                    with replacing(cached) as temporary:
                        shutil.copyfile(place, temporary)
                except OSError as error:
                    log.warning("%s cannot be kept in data/ (%s): going on without", relative, error.strerror)
            return place
        if path is not None and place == places[0]:
            raise InputError(
                f"data.path={path} holds no {relative}; give the folder that does, "
                "or add data=text for a text of your own"
            )
    download(url, cached, digest)
    return cached


class UnreachableError(Exception):
    """A file is neither on this machine nor to be had from the network."""


def download(url: str, target: Path, digest: str, tries: int = 3, timeout: float = 15) -> None:
    """Fetch `url` to a temporary name beside `target`; move it there once its SHA-256 is `digest`."""
    log.info("downloading %s", url)
    for attempt in range(1, tries + 1):
        try:
            with (
                replacing(target) as temporary,
                urllib.request.urlopen(url, timeout=timeout) as response,
                temporary.open("wb") as file,
            ):
                total = int(response.headers.get("Content-Length") or 0)
                while chunk := response.read(1 << 16):
                    file.write(chunk)
                    _show_progress(file.tell(), total)
                file.flush()
                got = sha256(temporary.read_bytes())
                if got != digest:
                    raise InputError(
                        f"{url}: got SHA-256 {got}, expected {digest}; fetch it by other means and place it at {target}"
                    )
            return
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if attempt < tries:
                log.info("attempt %d of %d failed (%s), trying again", attempt, tries, reason)
                time.sleep(attempt)
    raise UnreachableError(
        f"{target.relative_to(CACHE) if target.is_relative_to(CACHE) else target} is not on this machine and "
        f"{url} cannot be reached ({reason}); place it at {target} or set TOKEXP_DATA"
    )


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        share = f" of {total:,} ({done / total:.0%})" if total else ""
        print(f"\r{done:,}{share} bytes", end="\n" if done == total else "", file=sys.stderr, flush=True)


def pydoc_text() -> str:
    """Python's own help topics, in the order of their names: English prose that needs no network."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))


def text_files(path: Any) -> list[Path]:
    """Every file that `path` (a file, a folder, or a list of them) names, sorted; hidden ones left out."""
    files: list[Path] = []
    for item in [path] if isinstance(path, str | Path) else list(path):
        item = Path(item)
        if item.is_dir():
            inside = [p for p in item.rglob("*") if p.is_file()]
            visible = [p for p in inside if not any(s.startswith(".") for s in p.relative_to(item).parts)]
            if not visible:
                raise InputError(f"{item}: got a folder without files, expected UTF-8 texts in it")
            files += visible
        else:
            files.append(item)
    if len(set(files)) < len(files):
        raise InputError(f"data.path={path} names a file twice; its held-out part would be trained on")
    return sorted(files)


def _text_name(path: Any) -> str:
    items = [path] if isinstance(path, str | Path) else list(path)
    return Path(items[0]).stem + (f"+{len(items) - 1}" if len(items) > 1 else "")


def read_bytes(path: Path) -> bytes:
    """The bytes of a UTF-8 text file."""
    raw = read_file(path)
    decode(raw, str(path))  # so that the position in an error is that in this file
    return raw


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file that can") from error


def decode(raw: bytes, name: str) -> str:
    """UTF-8, strictly, with no newline translation."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: got byte 0x{raw[error.start]:02x} at position {error.start}, which is not UTF-8; "
            "expected UTF-8 throughout, so convert the file (iconv -t utf-8)"
        ) from None


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
