"""How commands end."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tokexp.config import InputError
from tokexp.system.command import command


def ending(error: BaseException) -> int:
    @command
    def main() -> int:
        raise error

    return main()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("x: got 1, expected 2"), 2, "error: x: got 1, expected 2\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 2, "error: a/b: cannot be read or written (No space"),
        (KeyboardInterrupt(), 130, "stopped; every file is whole"),
    ],
)
def test_an_end_is_a_line_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    got = capsys.readouterr().err
    assert got.startswith(said)
    assert got.count("\n") == (1 if said else 0)


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, text_file: Path) -> None:
    show = f"{sys.executable} -m tokexp.show byte --data text --data-path {text_file} --text {'ab' * 40_000}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{show} | head -c 10"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
