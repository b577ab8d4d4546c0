"""Gets a text, makes sure that it is the right one, and splits it *as text*, before any tokenizer sees it."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tokexp.config import DataConfig, InputError
from tokexp.data.documents import draw, is_kept, language_files, read_part
from tokexp.data.part import Part
from tokexp.data.pinned import UnreachableError
from tokexp.data.shakespeare import find_shakespeare
from tokexp.data.single import cut_by_characters, read_single
from tokexp.data.sources import fingerprint, looks_like_json_lines
from tokexp.data.text import decode, pydoc_text, text_files, text_name
from tokexp.system.cache import cached, place_of, source_hash
from tokexp.system.files import sha256
from tokexp.system.provenance import versions

log = logging.getLogger(__name__)

LEARNED_BYTES = 2_000_000  # of the training part, that what measures a text without a model learns from
SCORED_BYTES = 125_000  # of the scored part, that is looked at byte by byte
SHOWN = 5  # documents that are named where there are too many


@dataclass(frozen=True)
class Corpus:
    """A text in parts. A tokenizer and a model learn from `train` alone; what is chosen is chosen on `val`.

    Runs are ranked on `test`, or on `val` where there is no third part.
    """

    name: str
    train: Part
    val: Part
    test: Part | None = None
    held_out: dict[str, Part] = field(default_factory=dict)  # further texts, by name
    sha256: str = ""  # of the text before the split; where the held-out text is given apart, without that
    documents_sha256: str | None = None  # of all documents, whatever part each belongs to
    language: str | None = None  # of parallel texts
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of documents, by part or further text
    seen: int = 0  # held-out documents that the training part has word for word
    skipped: int = 0  # records that could not be read

    @property
    def scored(self) -> Part:
        """What runs are ranked on."""
        return self.val if self.test is None else self.test

    @property
    def scored_on(self) -> str:
        return "val" if self.test is None else "test"

    @cached_property
    def learned(self) -> Part:
        """What of the training part measures learn from that need no model: a sample, which for most texts is all."""
        return self.train.sample(LEARNED_BYTES)

    @cached_property
    def measured(self) -> Corpus:
        """What measures that need no model look at: `learned`, and what is ranked, as `val`."""
        return dataclasses.replace(self, train=self.learned, val=self.scored, test=None, held_out={})

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each part that there is."""
        parts = {"train_sha256": self.train.sha256, "val_sha256": self.val.sha256}
        if self.test is not None:
            parts["test_sha256"] = self.test.sha256
        return parts | {f"held_out.{name}": part.sha256 for name, part in self.held_out.items()}

    @property
    def pin(self) -> str:
        """What `data.sha256` is compared with: the SHA-256 over those of the parts."""
        return sha256(json.dumps(self.hashes, sort_keys=True).encode())


def cached_for(
    corpus: Corpus,
    what: dict[str, Any],
    build: Callable[[Path], None],
    *modules: str,
    resumable: bool = False,
    **libraries: str,
) -> Path:
    """The cached folder of something that `modules` make of the parts of a corpus; see `cache.cached`.

    `what`: what else decides it, its name included; `libraries`: versions that `provenance.PACKAGES` lack. It is made
    anew where one of the texts, the code or the version of a package is another.
    """
    return cached(_for(corpus, what, *modules, **libraries), build, resumable=resumable)


def place_for(corpus: Corpus, what: dict[str, Any], *modules: str, **libraries: str) -> Path:
    """Where `cached_for` keeps something, once it is there."""
    return place_of(_for(corpus, what, *modules, **libraries))


def _for(corpus: Corpus, what: dict[str, Any], *modules: str, **libraries: str) -> dict[str, Any]:
    return {**what, **corpus.hashes, "code": source_hash(*modules), "versions": {**versions(), **libraries}}


def load_corpus(cfg: DataConfig) -> Corpus:
    """The corpus that `cfg` asks for, split. Raises InputError, one line, when it cannot be had."""
    settings = {**dataclasses.asdict(cfg), "sha256": None, "block_bytes": None}
    corpus = _load_corpus(json.dumps(settings, sort_keys=True), repr([fingerprint(path) for path in _paths(cfg)]))
    if cfg.sha256 not in (None, corpus.pin):
        raise InputError(
            f"corpus {corpus.name}: got SHA-256 {corpus.pin}, expected {cfg.sha256} (data.sha256): the text has "
            "changed since the sweep began, or since it was pinned; start again with the text as it is now"
        )
    return corpus


def is_read(cfg: DataConfig) -> bool:
    """Whether the corpus can be had without reading the files that it is from."""
    return cfg.name == "documents" and is_kept(cfg)


def _paths(cfg: DataConfig) -> list[Any]:
    """The files and folders that a corpus is read from."""
    given = [path for path in (cfg.path, cfg.train, cfg.val, cfg.test) if path]
    if cfg.name == "parallel":
        given = [[str(file) for file in language_files(cfg)]]
    elif cfg.name not in ("text", "documents"):
        given = []
    return [*given, *(cfg.held_out or {}).values()]


@lru_cache(maxsize=2)  # the runs of a sweep share one text
def _load_corpus(settings: str, stamps: str) -> Corpus:
    """`stamps`: of the files, so that a text that was changed is read again."""
    cfg = DataConfig(**json.loads(settings))
    corpus = _of_documents(cfg) if cfg.of_documents else _of_text(cfg)
    parts = [("training", corpus.train, cfg.train), ("validation", corpus.val, cfg.val)]
    parts += [("test", corpus.test, cfg.test)] if corpus.test is not None else []
    parts += [(name, part, (cfg.held_out or {}).get(name)) for name, part in corpus.held_out.items()]
    for name, part, source in parts:
        if not any(document.strip() for document in part.documents()):
            what = "is only white space" if part.n_bytes else "is empty"
            raise InputError(
                f"corpus {corpus.name}: the {name} part{f' ({source})' if source else ''} {what}, of "
                f"{sum(part.n_bytes for _, part, _ in parts):,} bytes in all; give a longer text, "
                "or another data.val_fraction, data.test_fraction, data.val or data.val_bytes"
            )
    return corpus


def _of_documents(cfg: DataConfig) -> Corpus:
    """A corpus of documents; says which of the held-out ones the training part has too."""
    drawn = draw(cfg)
    seen = drawn.seen_in_training()
    name = cfg.name if cfg.name in ("parallel", "plays") else text_name(cfg.path or cfg.train)
    scored = drawn.test if len(drawn.test) else drawn.val
    further = {name: read_part(cfg, path) for name, path in (cfg.held_out or {}).items()}
    names = {"test" if len(drawn.test) else "val": tuple(drawn.names(scored))}
    if cfg.name == "parallel" and len(cfg.languages) > 1:  # what is ranked, by language
        for source, language in enumerate(cfg.languages):
            pages = drawn.of_source(source, scored)
            further[language], names[language] = drawn.part(pages), tuple(drawn.names(pages))
    corpus = Corpus(
        name=name,
        train=drawn.part(drawn.train),
        val=drawn.part(drawn.val),
        test=drawn.part(drawn.test) if len(drawn.test) else None,
        held_out=further,
        documents_sha256=drawn.sha256,
        language="+".join(cfg.languages) if cfg.name == "parallel" else None,
        names=names,
        seen=len(seen),
        skipped=drawn.skipped,
    )
    if len(seen):
        shown = ", ".join(drawn.names(seen[:SHOWN]))
        more = f" and {len(seen) - SHOWN:,} more" if len(seen) > SHOWN else ""
        log.warning("! corpus %s: the training part has held-out documents word for word: %s%s", name, shown, more)
    for line in drawn.skipped_lines:
        log.warning("! corpus %s: %s", name, line)
    return dataclasses.replace(corpus, sha256=sha256(json.dumps(corpus.hashes, sort_keys=True).encode()))


def _of_text(cfg: DataConfig) -> Corpus:
    """A single text, cut by characters, or with a held-out text that is given apart."""
    name, text = _read(cfg)
    if cfg.val is None:
        shares = [1 - cfg.val_fraction - cfg.test_fraction, *([1 - cfg.test_fraction] if cfg.test_fraction else [])]
        train, val, *third = cut_by_characters(text, shares)
        test = third[0] if third else None
    else:
        train, val = text, _held_out(cfg, "data.val", cfg.val, text)
        test = None if cfg.test is None else _held_out(cfg, "data.test", cfg.test, text)
    further = (cfg.held_out or {}).items()
    held_out = {name: _held_out(cfg, f"data.held_out.{name}", path, text) for name, path in further}
    test = None if test is None else test.head(cfg.test_bytes)
    return Corpus(name, train, val.head(cfg.val_bytes), test, held_out, sha256=text.sha256)


def _held_out(cfg: DataConfig, setting: str, path: Any, train: Part) -> Part:
    """A text that is given apart, which is no part of the training text."""
    part = read_single(text_files(path)).head(cfg.val_bytes if setting == "data.val" else cfg.test_bytes)
    raw = part.text.encode()
    if raw and train.contains(raw):
        raise InputError(f"{setting}={path} is a part of the training text; give a text that is not")
    return part


def _read(cfg: DataConfig) -> tuple[str, Part]:
    """The corpus's name, which data=auto leaves open, and its text before the split."""
    if cfg.name == "text":
        path = cfg.path or cfg.train
        if path is None:
            raise InputError("data=text needs data.path: a UTF-8 text file, a folder or a list of them")
        files = text_files(path)
        _say_what_looks_like_records(files)
        return text_name(path), read_single(files)
    if cfg.name == "pydoc":
        return "pydoc", Part.of_text(pydoc_text())
    try:
        file = find_shakespeare(cfg.path)
    except UnreachableError as error:
        if cfg.name != "auto":
            raise InputError(str(error)) from error
        log.warning("! %s", error)
        log.warning("! data=auto falls back to pydoc, the text of Python's own help: NOT TinyShakespeare")
        return "pydoc", Part.of_text(pydoc_text())
    return "tinyshakespeare", Part.of_text(decode(file.read_bytes(), str(file)))


def _say_what_looks_like_records(files: list[Path]) -> None:
    for file in files:
        if file.is_file():
            with file.open("rb") as start:
                if looks_like_json_lines(start.read(1 << 16)):
                    log.warning("! %s looks like JSON lines, read here as one text; data=documents reads them", file)
