"""Makes a corpus of documents: reads them once, and draws of which part each is.

Parts and order are drawn from a hash of each document, so that neither the order of the files nor their format matters,
and documents that are added move none of the others from one part into another. Or the ids of those are given that are
held out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tokexp.config import DataConfig, InputError
from tokexp.data.part import Part
from tokexp.data.pinned import UnreachableError
from tokexp.data.shakespeare import PLAYS, cut_into_plays, find_shakespeare
from tokexp.data.sources import Fields, Skipped, fingerprint, read_dataset, read_documents, source_files
from tokexp.data.store import NOT_GIVEN, PARTS, Given, Store, given_part, id_key, is_stored, store
from tokexp.data.text import decode
from tokexp.system import places
from tokexp.system.files import sha256
from tokexp.system.meter import Meter

SHOWN = 10  # ids that are named where one is unknown


class Drawn:
    """The documents of a corpus in their parts: indexes into its store, in the order of the corpus."""

    def __init__(self, cfg: DataConfig, kept: Store) -> None:
        keys = kept.id_keys if cfg.split_by == "id" else kept.content_keys
        part = _parts(cfg, keys, kept)
        order = np.argsort(keys, kind="stable")
        lengths = np.diff(kept.ends, prepend=0)
        self.train, val, test = (order[part[order] == PARTS.index(name)] for name in PARTS)
        self.val = _first(val, lengths, cfg.val_bytes)
        self.test = _first(test, lengths, cfg.test_bytes)
        self.skipped, self.skipped_lines = kept.skipped_count, kept.skipped
        self.of, self.sha256 = len(kept.ends), kept.sha256
        self._store = kept

    def part(self, documents: np.ndarray) -> Part:
        return part_of(self._store, documents)

    def names(self, documents: np.ndarray) -> list[str]:
        return [self._store.name_of(int(document)) for document in documents]

    def of_source(self, source: int, documents: np.ndarray) -> np.ndarray:
        """Those of some documents that are from one source."""
        return documents[self._store.sources[documents] == source]

    def seen_in_training(self) -> np.ndarray:
        """The held-out documents that the training part has word for word."""
        digests = np.ascontiguousarray(self._store.digests).view("V16").ravel()
        held_out = np.concatenate([self.val, self.test])
        return held_out[np.isin(digests[held_out], digests[self.train])]


def draw(cfg: DataConfig) -> Drawn:
    """The documents that `cfg` asks for. Raises InputError where a part has none."""
    drawn = Drawn(cfg, _read(cfg))
    has_test = cfg.test is not None or cfg.test_fraction > 0 or cfg.split_field is not None
    for name, documents in (("training", drawn.train), ("validation", drawn.val), ("test", drawn.test)):
        if not len(documents) and (name != "test" or (has_test and cfg.split_field is None)):
            raise InputError(
                f"data: the {name} part has no documents, of {drawn.of:,} in all; give more documents, "
                "or another data.val_fraction, data.test_fraction or data.split_field"
            )
    return drawn


def read_part(cfg: DataConfig, path: str) -> Part:
    """The documents of a further held-out text, in the order of their hashes, as many as of a test part."""
    kept = _keep(cfg, [(path, NOT_GIVEN)])
    return part_of(kept, np.argsort(kept.content_keys, kind="stable")).head(cfg.test_bytes)


def part_of(kept: Store, documents: np.ndarray) -> Part:
    """Documents of a store, mapped."""
    raw = np.memmap(kept.folder / "text", dtype=np.uint8, mode="r")
    digest = sha256(kept.digests[documents].tobytes())
    return Part(raw, kept.begins[documents], kept.ends[documents], separated=True, known_sha256=digest)


def _parts(cfg: DataConfig, keys: np.ndarray, kept: Store) -> np.ndarray:
    """The number in PARTS of each document's part: the given one, that of its id, or what its key says."""
    train, val, test = range(len(PARTS))
    share = keys / 2.0**64
    to_test = cfg.test_fraction if cfg.test_ids is None else 0.0
    to_val = cfg.val_fraction if cfg.val_ids is None else 0.0
    drawn = np.where(share < to_test + to_val, np.where(share < to_test, test, val), train)
    parts = np.where(kept.given == NOT_GIVEN, drawn, kept.given)
    parts[_with_ids(kept, "data.val_ids", cfg.val_ids)] = val
    parts[_with_ids(kept, "data.test_ids", cfg.test_ids)] = test
    rest = np.flatnonzero(parts == train)
    if cfg.test_ids is not None and len(rest) and val not in parts:  # of few documents the share may be none
        parts[rest[keys[rest].argmin()]] = val
    return parts


def _with_ids(kept: Store, setting: str, ids: list[str] | None) -> np.ndarray:
    """The documents that have one of `ids`. Raises InputError, which names a few, for an id that none has."""
    by_id = {name: id_key(name) for name in ids or []}
    unknown = [name for name, key in by_id.items() if key not in kept.id_keys]
    if unknown:
        known = [kept.name_of(document) for document in range(min(SHOWN, len(kept.ends)))]
        more = f" and {len(kept.ends) - SHOWN:,} more" if len(kept.ends) > SHOWN else ""
        raise InputError(f"{setting}: got the id {unknown[0]!r}, expected ids among {', '.join(known)}{more}")
    return np.flatnonzero(np.isin(kept.id_keys, np.array(list(by_id.values()), dtype=np.uint64)))


def _first(documents: np.ndarray, lengths: np.ndarray, most: int | None) -> np.ndarray:
    """The first whole documents of at most so many bytes, but at least one."""
    if most is None:
        return documents
    n = int(np.searchsorted(np.cumsum(lengths[documents]), most, side="right"))
    return documents[: max(1, n)]


def _read(cfg: DataConfig) -> Store:
    """The documents of `cfg`, from the cache where they were read before."""
    if cfg.name == "dataset":
        return _keep_dataset(cfg)
    if cfg.name == "plays":
        return _keep_plays(cfg)
    return _keep(cfg, _sources(cfg))


def _sources(cfg: DataConfig) -> list[tuple[Any, int]]:
    """The files and folders of documents that `cfg` names, each with the number in PARTS of its part."""
    if cfg.name == "parallel":
        return [(str(file), NOT_GIVEN) for file in language_files(cfg)]
    given = [(path, PARTS.index(name)) for name in PARTS if (path := getattr(cfg, name)) is not None]
    if cfg.path is not None:
        given.insert(0, (cfg.path, NOT_GIVEN if cfg.val is None else PARTS.index("train")))
    if not given:
        raise InputError("data=documents needs data.path: a file or folder of documents, or a list of them")
    return given


def is_kept(cfg: DataConfig) -> bool:
    """Whether the documents of `cfg`, files and folders, have been read before."""
    return is_stored(_what(cfg, _sources(cfg)))


def _what(cfg: DataConfig, sources: list[tuple[Any, int]]) -> dict[str, Any]:
    return {
        "documents": [[path, part] for path, part in sources],
        "stamps": [fingerprint(path) for path, _ in sources],
        "fields": vars(_fields(cfg)),
        "skip_bad": cfg.skip_bad,
    }


def _keep(cfg: DataConfig, sources: list[tuple[Any, int]]) -> Store:
    fields, skipped = _fields(cfg), Skipped() if cfg.skip_bad else None
    total = sum(file.stat().st_size for path, _ in sources for file in source_files(path))

    def read() -> Iterator[Given]:
        with Meter("reading the documents", total) as meter:
            for source, (path, part) in enumerate(sources):
                for document in read_documents(path, fields, skipped, meter.advance):
                    yield document, part if cfg.split_field is None else given_part(document), source

    return store(_what(cfg, sources), read(), skipped)


def _keep_dataset(cfg: DataConfig) -> Store:
    if not isinstance(cfg.path, str):
        raise InputError("data=dataset needs data.path: the name of a data set on the Hugging Face hub, or its folder")
    fields, skipped = _fields(cfg), Skipped() if cfg.skip_bad else None
    what = {
        "dataset": cfg.path,
        "stamps": fingerprint(cfg.path) if Path(cfg.path).exists() else None,
        "subset": cfg.subset,
        "split": cfg.split,
        "fields": vars(fields),
        "skip_bad": cfg.skip_bad,
    }
    documents = read_dataset(cfg.path, subset=cfg.subset, split=cfg.split, fields=fields, skipped=skipped)
    return store(what, ((document, given_part(document), 0) for document in documents), skipped)


def _keep_plays(cfg: DataConfig) -> Store:
    try:
        file = find_shakespeare(cfg.path)
    except UnreachableError as error:
        raise InputError(str(error)) from error
    plays = cut_into_plays(decode(file.read_bytes(), str(file)))
    return store({"plays": PLAYS}, ((play, NOT_GIVEN, 0) for play in plays), None)


def _fields(cfg: DataConfig) -> Fields:
    return Fields(cfg.text_field, cfg.id_field, cfg.split_field)


def language_files(cfg: DataConfig) -> list[Path]:
    """The files of the languages of data=parallel. Raises InputError, which lists what there is, for another."""
    places_to_look = [cfg.path] if cfg.path is not None else [os.environ.get("TOKEXP_DATA"), str(places.CACHE)]
    folders = [Path(place, "parallel") if cfg.path is None else Path(place) for place in places_to_look if place]
    for folder in folders:
        there = {file.name.split(".")[0]: file for file in sorted(folder.glob("*.jsonl*"))}
        if not there:
            continue
        unknown = [language for language in cfg.languages if language not in there]
        if unknown:
            raise InputError(f"data.language: got {unknown[0]!r}, expected one of {', '.join(there)}")
        return [there[language] for language in cfg.languages]
    looked = " or ".join(map(str, folders)) or "TOKEXP_DATA, which is not set"
    raise InputError(
        f"data=parallel: found no LANGUAGE.jsonl.gz in {looked}; set TOKEXP_DATA to the folder that has parallel/, "
        "or data.path to that folder itself"
    )
