"""Finds files that are pinned by their SHA-256 on this machine, or else downloads them."""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tokexp.config import InputError
from tokexp.system import places
from tokexp.system.files import replacing, sha256

log = logging.getLogger(__name__)


def find(relative: Path, digest: str, url: str, path: str | None = None) -> Path:
    """A pinned file: in the folder `path`, in the folder TOKEXP_DATA, in `data/`, else downloaded into `data/`.

    A file from elsewhere is copied into `data/`. Raises InputError where a file has another
    SHA-256 than `digest`, UnreachableError where there is none and no network either.
    """
    kept = places.CACHE / relative
    folders = [Path(path) / relative] if path is not None else []
    folders += [Path(folder) / relative for folder in [os.environ.get("TOKEXP_DATA")] if folder]
    for place in [*folders, kept]:
        if place.is_file():
            got = sha256(place.read_bytes())
            if got != digest:
                raise InputError(f"{place}: got SHA-256 {got}, expected {digest}; delete or replace that file")
            if place != kept and not kept.exists():
                try:
                    with replacing(kept) as temporary:
                        shutil.copyfile(place, temporary)
                except OSError as error:
                    log.warning("%s cannot be kept in data/ (%s): continuing without it", relative, error.strerror)
            return place
        if path is not None and place == folders[0]:
            raise InputError(
                f"data.path={path} holds no {relative}; give the folder that does, "
                "or add data=text for a text of your own"
            )
    download(url, kept, digest)
    return kept


class UnreachableError(Exception):
    """A file is neither on this machine nor to be had from the network."""


def download(url: str, target: Path, digest: str, tries: int = 3, timeout: float = 15) -> None:
    """Fetch `url` to a temporary file, which becomes `target` once its SHA-256 is `digest`.

    Raises InputError for another SHA-256, UnreachableError after `tries` attempts.
    """
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
        f"{_name(target)} is not on this machine and "
        f"{url} cannot be reached ({reason}); place it at {target} or set TOKEXP_DATA"
    )


def _name(target: Path) -> Path:
    return target.relative_to(places.CACHE) if target.is_relative_to(places.CACHE) else target


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        of_total = f" of {total:,} ({done / total:.0%})" if total else ""
        print(f"\r{done:,}{of_total} bytes", end="\n" if done == total else "", file=sys.stderr, flush=True)
