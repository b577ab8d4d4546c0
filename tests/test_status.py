"""The command `status`."""

from __future__ import annotations

from pathlib import Path

from command_line import tokexp

from tokexp.runs.state import write_state


def test_watching_ends_where_nothing_is_left_to_come(tmp_path: Path) -> None:
    for name, state in (("a", "done"), ("b", "diverged"), ("c", "failed")):
        (tmp_path / "runs/demo" / name).mkdir(parents=True)
        write_state(tmp_path / "runs/demo" / name, state, config_hash="x")
    assert "1 of 3 done, 1 diverged, 1 failed" in tokexp("status", "demo", "--watch", cwd=tmp_path).stdout
    (tmp_path / "runs/demo/b/config.yaml").touch()
    assert "0 of 1 done, 1 diverged" in tokexp("status", "b", cwd=tmp_path).stdout, "a run, by its bare name"


def test_status_of_nothing_is_one_line(tmp_path: Path) -> None:
    done = tokexp("status", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nowhere: no run of that name in runs, which has none" in done.stderr
