"""Files written whole, alone or together: by processes that are killed, and by several at once."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tokexp.system.files import (
    keep_only,
    new_folder,
    reading_together,
    remove_litter,
    replacing,
    replacing_together,
    settle,
    write_text,
)

# Does WRITE in BODY of each target, in a process each, that of place N killed at its operation N.
KILLED = """
import os, sys
from pathlib import Path
from tokexp.system.files import *
def hook(event, arguments):
    global left
    if event in ("os.rename", "os.rmdir", "os.remove", "os.mkdir", "fcntl.flock"):
        if left == 0:
            os._exit(9)
        left -= 1
for left, target in enumerate(sys.argv[1:]):
    pid = os.fork()
    if pid:
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        continue
    if len(sys.argv) > 2:
        sys.addaudithook(hook)
    with BODY(Path(target)) as temporary:
        WRITE
    os._exit(0)
"""


def killed(body: str, write: str, *targets: Path) -> list[int]:
    """The exit codes of processes that write `targets`; where there are several, each is killed an operation later."""
    code = KILLED.replace("BODY", body).replace("WRITE", write)
    done = subprocess.run([sys.executable, "-c", code, *map(str, targets)], stdout=subprocess.PIPE, check=True)
    return [int(line) for line in done.stdout.split()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_what_a_killed_process_was_writing_goes_when_the_same_is_written_next(tmp_path: Path) -> None:
    half = "temporary.write_text('half'); temporary.with_name('.tmpXyz').write_text('of a library'); os._exit(9)"
    assert killed("replacing", half, tmp_path / "a.json") == [9]
    assert {"a.json", ".tmpXyz"} < names(tmp_path)
    assert not (tmp_path / "a.json").exists()
    write_text(tmp_path / "b.json", "another")
    assert ".tmpXyz" in names(tmp_path)
    write_text(tmp_path / "a.json", "whole")
    assert names(tmp_path) == {"a.json", "b.json"}
    assert (tmp_path / "a.json").read_text() == "whole"


def test_what_a_process_is_at_work_at_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    with replacing(target) as first:
        first.write_text("1")
        remove_litter(tmp_path)
        with replacing(target) as second:
            second.write_text("2")
        assert target.read_text() == "2"
    assert target.read_text() == "1"
    assert names(tmp_path) == {"a.json"}


def test_a_mark_that_another_took_for_litter_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, taken = fcntl.flock, []

    def late(file: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob(".*.part"))
            taken[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with replacing(tmp_path / "a.json") as temporary:
        (mark,) = tmp_path.glob(".*.part")
        assert mark.stem == temporary.parent.stem, "by which it is found after a kill"
        temporary.write_text("whole")
    assert len(taken) == 1
    assert names(tmp_path) == {"a.json"}


def test_files_of_the_user_are_no_litter(tmp_path: Path) -> None:
    for name in (".part", ".a.part", ".hidden", "a.part"):
        (tmp_path / name).mkdir() if name == ".a.part" else (tmp_path / name).write_text("mine")
    remove_litter(tmp_path)
    assert names(tmp_path) >= {".a.part", ".hidden", "a.part"}


@pytest.mark.parametrize("write", [replacing, new_folder, replacing_together])
def test_a_failure_leaves_nothing(write: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path) -> None:
    def fail() -> None:
        with write(tmp_path / "a") as temporary:
            (temporary.parent / "half").write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert names(tmp_path) == ({"a", ".lock"} if write is replacing_together else set())


def test_files_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    """Whoever reads after a kill at any moment reads all old ones or all new ones; what else is there stays."""
    folders = [tmp_path / str(at) for at in range(25)]
    for folder in folders:
        folder.mkdir()
        for name in ("a", "b", "other"):
            (folder / name).write_text("old")
    codes = killed("replacing_together", "[(temporary / name).write_text('new') for name in 'ab']", *folders)
    assert codes.count(0) > 3, "every operation was met"
    assert codes == sorted(codes, reverse=True)
    seen = []
    for folder in folders:
        with reading_together(folder) as place:
            texts = {place(name).read_text() for name in "ab"}
            assert place("other").read_text() == "old"
        settle(folder)
        assert names(folder) - {".lock"} == {"a", "b", "other"}
        assert {(folder / name).read_text() for name in "ab"} == texts
        seen += texts
    assert len(seen) == len(folders), "never some old and some new"
    assert seen == sorted(seen, reverse=True), "once it is decided it stays so"
    assert codes[seen.index("new") :].count(9) > 3, "killed between the moves too"


def test_who_reads_is_waited_for(tmp_path: Path) -> None:
    def write() -> None:
        with replacing_together(tmp_path) as new:
            for name in "ab":
                (new / name).write_text("new")

    write()
    for name in "ab":
        (tmp_path / name).write_text("old")
    writer = threading.Thread(target=write)
    with reading_together(tmp_path) as place:
        assert place("a").read_text() == "old"
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert place("b").read_text() == "old"
    writer.join()
    assert (tmp_path / "b").read_text() == "new"


def test_only_what_was_written_is_kept(tmp_path: Path) -> None:
    assert killed("replacing", "temporary.write_text('half'); os._exit(9)", tmp_path / "gone.png") == [9]
    (tmp_path / "old.png").write_text("")
    write_text(tmp_path / "new.png", "")
    with replacing(tmp_path / "at work.png") as temporary:
        keep_only(tmp_path, {tmp_path / "new.png"})
        temporary.write_text("")
    assert names(tmp_path) == {"new.png", "at work.png"}
