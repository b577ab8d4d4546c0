"""Reads documents from a dataset of Hugging Face: one on the hub, a folder of one, or one that was saved to disk."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.data.sources.document import Document, Fields, Skipped, from_record, leave_out, require_columns, shown

ROWS_AT_ONCE = 32
SAVED, SAVED_SPLITS = ("state.json", "dataset_info.json"), "dataset_dict.json"  # what `save_to_disk` leaves


def read_dataset(
    path: Any, *, subset: str | None, split: str, fields: Fields, skipped: Skipped | None
) -> Iterator[Document]:
    """The documents of one split of a dataset, in its order. What is on the hub is read as it comes, and not kept.

    `path`: a name on the hub, or a folder. Nothing that a dataset brings is run. Raises InputError, one line, for
    whatever the library says; for a bad record only where `skipped` is None.
    """
    where = f"{shown(path)} ({split})"
    remedy = f"expected a text in the column {fields.text!r}; "
    remedy += "mend it, or leave such rows out with data.skip_bad=true"
    library = _library(path)
    with _quiet(library, path):
        dataset = _load(library, path, subset, split)
        columns = dataset.column_names
    if columns is not None:
        require_columns(list(columns), fields, where)
        dataset = dataset.select_columns([name for name in fields.names() if name in columns])
    for number, record in enumerate(_records(library, dataset, path), start=1):
        at = f"{where}, row {number}"
        try:
            document = from_record(record, fields, at)
        except ValueError as error:
            leave_out(skipped, at, error, remedy)
        else:
            yield document


def _library(path: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("datasets")
    except ImportError as error:
        how = "to read it, pip install 'tokexp[datasets]'"
        raise InputError(f"{shown(path)}: got a dataset, and datasets is not installed; {how}") from error


def _load(library: Any, path: Any, subset: str | None, split: str) -> Any:
    folder = Path(path)
    if folder.is_file():
        raise InputError(f"{shown(path)}: got a file, expected a dataset; data=documents reads files")
    if not (folder / SAVED_SPLITS).is_file() and not all((folder / name).is_file() for name in SAVED):
        return library.load_dataset(str(path), name=subset, split=split, streaming=True)
    if subset is not None:
        raise InputError(
            f"{shown(path)}: got the subset {subset!r} of a dataset saved to disk, which has none; leave it"
        )
    saved = library.load_from_disk(str(path))
    splits = saved if isinstance(saved, dict) else {str(saved.split or split): saved}
    if split not in splits:
        raise InputError(f"{shown(path)}: got the split {split!r}, expected one of {', '.join(map(repr, splits))}")
    return splits[split]


def _records(library: Any, dataset: Any, path: Any) -> Iterator[dict[str, Any]]:
    batches = dataset.iter(batch_size=ROWS_AT_ONCE)
    while True:
        with _quiet(library, path):
            batch = next(batches, None)
        if batch is None:
            return
        for row in zip(*batch.values(), strict=True):
            yield dict(zip(batch, row, strict=True))


@contextmanager
def _quiet(library: Any, path: Any) -> Iterator[None]:
    """Let the library draw no bars and say nothing but, where it raises, one line: an InputError."""
    bars, level = not library.are_progress_bars_disabled(), library.logging.get_verbosity()
    library.disable_progress_bars()
    library.logging.set_verbosity(library.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{shown(path)}: {_told(error)}") from error
    finally:
        library.logging.set_verbosity(level)
        if bars:
            library.enable_progress_bars()


def _told(error: Exception) -> str:
    """What the library met, and what to do about it."""
    why = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, ConnectionError | TimeoutError) or "Offline" in why:
        return f"cannot be had from the hub ({why}); expected a network that reaches it, or give a folder in data.path"
    if isinstance(error, FileNotFoundError):
        return f"is no dataset that can be found ({why}); expected a name on the hub or a folder, in data.path"
    if "Bad split" in why or "Unknown split" in why:
        return f"has no such split ({why}); name one in data.split"
    if "BuilderConfig" in why or "onfig name" in why:
        return f"has no such subset, or needs one ({why}); name it in data.subset"
    return f"cannot be read as a dataset ({why}); expected one that the library datasets reads without code of its own"
