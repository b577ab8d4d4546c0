"""What is kept for the next run: built once, whole, and anew where anything that made it has changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import settings_of
from corpora import corpus_of

from tokexp.data import corpus
from tokexp.scoring import restoration
from tokexp.system import cache, places
from tokexp.system.cache import source_hash
from tokexp.tokenizer import train_tokenizer


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    return tmp_path / "data/cache"


def test_a_failed_build_leaves_nothing(empty_cache: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.cached({"x": 1}, build)
    assert [path.suffix for path in empty_cache.iterdir()] == [".lock"]


def test_what_a_killed_build_left_goes_with_the_next_one(empty_cache: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tokexp.system import cache, places\n"
        "places.CACHE = Path(sys.argv[1])\n"
        "cache.cached({'x': 1}, lambda folder: ((folder / 'half').write_text('x'), os._exit(9)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(empty_cache.parent)]).returncode == 9
    assert list(empty_cache.rglob("half"))
    built = cache.cached({"x": 2}, lambda folder: None)  # of another name: the code of the first may be no more
    assert {path for path in empty_cache.iterdir() if path.suffix != ".lock"} == {built}


def test_two_processes_build_one_thing_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tokexp.system import cache, places\n"
        "places.CACHE = Path(sys.argv[1])\n"
        "def build(folder):\n"
        "    print('built', flush=True); time.sleep(0.5); (folder / 'x').write_text('x' * 100000)\n"
        "assert (cache.cached({'y': 1}, build) / 'x').read_text() == 'x' * 100000\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert "".join(outputs).count("built") == 1


def test_what_cannot_be_kept_goes_with_its_process(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    code = (
        "import sys; from pathlib import Path; from tokexp.system import cache, places\n"
        "places.CACHE = Path(sys.argv[1]) / 'data'\n"
        "folder = cache.cached({'y': 1}, lambda folder: (folder / 'x').write_text('x'))\n"
        "print((folder / 'x').is_file())\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=env)
    assert done.stdout == "True\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a copy of the package, with a line added to one file, the one that is hashed."""

    def copy(changed: str | None = None, line: str = "# changed") -> Path:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(places.ROOT / "tokexp", root / "tokexp", ignore=shutil.ignore_patterns("__pycache__"))
        if changed is not None:
            with (root / "tokexp" / changed).open("a") as file:
                file.write(f"\n{line}\n")
        monkeypatch.setattr(cache, "ROOT", root)
        return root

    return copy


def test_source_hash_follows_imports(checkouts: Any) -> None:
    module = "tokexp.scoring.restoration"
    before = source_hash(module)
    checkouts()
    assert source_hash(module) == before, "the same code in another place"
    for changed in ("scoring/restoration.py", "scoring/ngram.py", "data/text.py"):  # itself, an import, an import's
        checkouts(changed)
        assert source_hash(module) != before, changed
    checkouts("analysis/tables.py")
    assert source_hash(module) == before, "nothing of it"


def test_source_hash_imports_nothing_and_sees_imports_within_functions(checkouts: Any) -> None:
    root = checkouts()
    lazy = "raise SystemExit\ndef f():\n    from tokexp.system import bomb\n"
    (root / "tokexp/system/lazy.py").write_text(lazy)
    (root / "tokexp/system/bomb.py").write_text("raise SystemExit")
    first = source_hash("tokexp.system.lazy")
    root = checkouts()
    (root / "tokexp/system/lazy.py").write_text(lazy)
    (root / "tokexp/system/bomb.py").write_text("raise SystemExit(1)")
    assert source_hash("tokexp.system.lazy") != first


def test_code_that_is_edited_while_a_process_works_is_not_what_it_ran(checkouts: Any) -> None:
    root = checkouts()
    before = source_hash("tokexp.scoring.ngram")
    (root / "tokexp/scoring/ngram.py").write_text("# edited")
    assert source_hash("tokexp.scoring.ngram") == before


@pytest.mark.parametrize(
    ("kind", "file"),
    [("word", "word.py"), ("bpe_classic", "bpe_classic.py"), ("bpe_classic", "merges.py"), ("file", "foreign/file.py")],
)
def test_restoration_is_measured_anew_where_the_spans_may_be_others(
    kind: str, file: str, text: str, tmp_path: Path, checkouts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spans are the kind's own code: a changed `encode_with_spans` is another restoration."""
    keys: list[dict[str, Any]] = []
    np.save(tmp_path / "bits.npy", np.zeros((1, 3)))

    def cached(what: dict[str, Any], *_: object, **__: object) -> Path:
        keys.append(what)
        return tmp_path

    monkeypatch.setattr(corpus, "cached", cached)
    made = corpus_of(text, "the KING")
    tokenizer = train_tokenizer(kind, text, **settings_of(kind, tmp_path, text))
    for changed in (None, f"tokenizer/{file}", "tokenizer/word_cased.py"):
        checkouts(changed)
        restoration.restoration_of(tokenizer, made, made.val)
    assert keys[0] != keys[1]
    assert keys[0] == keys[2], "of another kind"
