"""Defines the settings of a corpus: where its texts come from, how they are cut in parts, how much of each is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokexp.config.checks import InputError, absolute, check, check_types, one_of, positive, require_name

NAMES = ("auto", "tinyshakespeare", "pydoc", "text", "documents", "dataset", "parallel", "plays")
PARTS = ("train", "val", "test")
OF_DOCUMENTS = ("documents", "dataset", "parallel", "plays")


@dataclass(frozen=True)
class DataConfig:
    name: str = "auto"  # auto | tinyshakespeare | pydoc | text | documents | dataset | parallel | plays
    path: Any = None  # files and folders; of a dataset its name or folder; else a folder that holds NAME/...
    train: Any = None  # the three parts, where they are given apart, as `path` is; `path` then is empty
    val: Any = None  # beside `path`: that is all for training
    test: Any = None
    val_fraction: float = 0.1  # held out: the last part of a single text, by characters; of documents, a share of them
    test_fraction: float = 0.0  # a third part, on which runs are ranked; 0 is none
    val_ids: list[str] | None = None  # the ids of the documents that are held out; null: drawn, as many as a share
    test_ids: list[str] | None = None  # null with val_ids: drawn too
    val_bytes: int | None = 1_000_000  # at most so much of the validation part is read; null: all
    test_bytes: int | None = 1_000_000  # the same of the test part
    text_field: str = "text"  # of a record of documents
    id_field: str | None = "id"
    split_field: str | None = None  # whose value says a document's part: train, val (validation), test
    split_by: str = "content"  # content | id: what a document's part is drawn from
    subset: str | None = None  # of a dataset, and its split; which documents are held out is said as of any others
    split: str = "train"
    skip_bad: bool = False  # leave out records that cannot be read, and say how many
    language: Any = "en-US"  # of data=parallel: one, or a list of them
    held_out: Any = None  # further texts to be scored, by name: {news: FILE, letters: FOLDER}
    sha256: str | None = None  # what the corpus must be; a sweep sets it, so that all its runs read the same
    block_bytes: int | None = None  # context in bytes of text: model.block_size is worked out from it

    def __post_init__(self) -> None:
        for name in ("train", "val", "test", *([] if self.name == "dataset" else ["path"])):
            object.__setattr__(self, name, absolute(f"data.{name}", getattr(self, name)))
        object.__setattr__(self, "held_out", _further(self.held_out))
        check_types("data.", self)
        one_of("data.name", self.name, *NAMES)
        one_of("data.split_by", self.split_by, "content", "id")
        check(self.path is None or self.name != "pydoc", "data.path", self.path, "none: data=pydoc needs no file")
        check(0 < self.val_fraction < 1, "data.val_fraction", self.val_fraction, "a number between 0 and 1")
        most = "0 (no third part) or more, and with data.val_fraction less than 1"
        check(0 <= self.test_fraction < 1 - self.val_fraction, "data.test_fraction", self.test_fraction, most)
        for name in ("val_bytes", "test_bytes", "block_bytes"):
            positive(f"data.{name}", getattr(self, name))
        self._check_parts()
        self._check_ids()

    def _check_parts(self) -> None:
        given = [name for name in ("train", "val", "test") if getattr(self, name) is not None]
        if given and self.name not in ("text", "documents"):
            raise InputError(f"data.{given[0]}: got a path, expected none: data={self.name} brings its own parts")
        if self.train is not None and self.path is not None:
            raise InputError("data.train: got it beside data.path, expected one of the two: both are for training")
        if "train" in given and "val" not in given:
            raise InputError("data.train: got it alone, expected data.val beside it: a text to choose by")
        if "test" in given and "val" not in given:
            raise InputError("data.test: got it without data.val, expected both, or neither")
        languages = self.language if isinstance(self.language, list) else [self.language]
        plain = bool(languages) and all(type(one) is str for one in languages) and len(set(languages)) == len(languages)
        check(plain, "data.language", self.language, "the name of a language, or a list of different ones")
        if self.name == "parallel" and (same := {*self.languages} & {*(self.held_out or {})}):
            raise InputError(f"data.held_out: got the name {same.pop()!r}, which is a language's; give it another")

    def _check_ids(self) -> None:
        given = {name: ids for name in ("val_ids", "test_ids") if (ids := getattr(self, name)) is not None}
        for name, ids in given.items():
            plain = bool(ids) and all(type(one) is str for one in ids) and len(set(ids)) == len(ids)
            check(plain, f"data.{name}", ids, "a list of different ids, or null: drawn")
            for other in ("val", "split_field"):
                check(getattr(self, other) is None, f"data.{name}", ids, f"null: data.{other} says what is held out")
            check(self.of_documents, f"data.{name}", ids, f"null: data={self.name} has no documents; data=plays has")
        if both := {*(self.val_ids or [])} & {*(self.test_ids or [])}:
            why = f"data.val_ids has {min(both)!r} too; give others there, or null: drawn from the rest"
            raise InputError(f"data.test_ids: got {self.test_ids}, expected ids of other documents; {why}")

    @property
    def of_documents(self) -> bool:
        return self.name in OF_DOCUMENTS

    @property
    def languages(self) -> list[str]:
        return [*self.language] if isinstance(self.language, list) else [self.language]


def _further(held_out: Any) -> Any:
    """Held-out texts by name; a list of paths is called by their stems."""
    if held_out is None:
        return None
    if isinstance(held_out, str):
        held_out = [held_out]
    if isinstance(held_out, list | tuple):
        named = {str(path).rstrip("/").rpartition("/")[2].split(".")[0]: path for path in held_out}
        if len(named) < len(held_out):
            raise InputError(f"data.held_out: got {held_out}, expected different names; write {{name: path, ...}}")
        held_out = named
    if not isinstance(held_out, dict) or not held_out:
        raise InputError(f"data.held_out: got {held_out!r}, expected texts by name: {{news: FILE, letters: FOLDER}}")
    for name in map(str, held_out):
        require_name("data.held_out", name)
        if name in PARTS:
            raise InputError(f"data.held_out: got the name {name!r}, which is a part's; write {{another name: path}}")
    return {str(name): absolute(f"data.held_out.{name}", path) for name, path in held_out.items()}
