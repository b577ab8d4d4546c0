"""The command line, typed as a user types it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = [
    "model=nano", "budget.steps=6", "train.eval_every=3", "train.batch_size=2", "sample.tokens=5",
    "sample.count=1", "sample.chars=10", "tracking.mode=disabled",
]  # fmt: skip


def tokexp(command: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tokexp.{command}", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TOKEXP_DATA": str(cwd / "nothing"), **env},
    )


@pytest.fixture(scope="module")
def swept(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    cwd = tmp_path_factory.mktemp("swept")
    data = ["data=text", f"data.path={text_file}"]
    return cwd, tokexp("run", "-m", "tokenizer=char,word,bpe", "tokenizer.vocab_size=300", *data, *QUICK, cwd=cwd)


def test_sweep_trains_and_names_its_report(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, done = swept
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "report: reports/demo/README.md"
    arms = [json.loads(p.read_text())["arm"] for p in sorted(cwd.glob("runs/demo/*/result.json"))]
    assert arms == ["bpe", "char", "word"]
    assert "step 6 of 6, loss" in done.stderr
    assert "bits/byte" in done.stderr
    assert "tokens/s" in done.stderr


def test_folders_are_named_by_settings(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for path in swept[0].glob("runs/demo/*/result.json"):
        result = json.loads(path.read_text())
        assert path.parent.name == result["name"] == f"{result['arm']}-nano-s0-{result['config_hash'][:8]}"


def test_report_is_true_to_the_results(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    report = (swept[0] / "reports/demo/README.md").read_text()
    assert report.splitlines()[2].startswith("Held equal: budget steps=6, model nano")
    assert "Equal steps: bpe read" in report
    assert "Not resolved" in report
    for path in swept[0].glob("runs/demo/*/result.json"):
        result = json.loads(path.read_text())
        assert f"{result['val_bpb']:.3f}" in report
        assert f"figures/panel_{result['name']}.png" in report
        assert (swept[0] / f"reports/demo/figures/panel_{result['name']}.png").read_bytes()[1:4] == b"PNG"


def test_same_command_again_trains_nothing(
    swept: tuple[Path, subprocess.CompletedProcess[str]], text_file: Path
) -> None:
    cwd, _ = swept
    before = {p: p.stat().st_mtime_ns for p in cwd.glob("runs/demo/*/result.json")}
    data = ["data=text", f"data.path={text_file}"]
    again = tokexp("run", "-m", "tokenizer=char,word", "tokenizer.vocab_size=300", *data, *QUICK, cwd=cwd)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("done before") == 2
    assert {p: p.stat().st_mtime_ns for p in cwd.glob("runs/demo/*/result.json")} == before
    assert "bpe" not in (cwd / "reports/demo/README.md").read_text().splitlines()[2], "only what was asked for last"


def test_report_is_rebuilt_without_torch_and_without_runs(
    swept: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    cwd, _ = swept
    (tmp_path / "reports").mkdir()
    (cwd / "reports/demo").rename(tmp_path / "reports/demo")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    blocked = "import sys, runpy\nfor n in ('torch','hydra','wandb'): sys.modules[n] = None\n"
    code = blocked + "sys.argv = ['report', 'demo']; runpy.run_module('tokexp.report', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "reports/demo/README.md" in done.stdout, done.stderr
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before, "same results, same bytes"


def test_sample_and_evaluate(swept: tuple[Path, subprocess.CompletedProcess[str]], text_file: Path) -> None:
    cwd, _ = swept
    for path in sorted(cwd.glob("runs/demo/*/result.json")):
        result = json.loads(path.read_text())
        sampled = tokexp("sample", str(path.parent), "--prompt", "Juliet:", "--tokens", "9", cwd=cwd)
        assert sampled.returncode == 0, sampled.stderr
        assert sampled.stdout.startswith("Juliet:")
        text = text_file.read_bytes().decode()
        val = cwd / "val.txt"
        val.write_bytes(text[int(len(text) * 0.9) :].encode())
        evaluated = tokexp("evaluate", str(path.parent), "--text", str(val), cwd=cwd)
        assert evaluated.returncode == 0, evaluated.stderr
        assert f"bits per byte {result['val_bpb']:.4f}" in evaluated.stdout, "the held-out text scores as in the run"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=text", "data.path=nowhere.txt"], "nowhere.txt: cannot be read"),
        (["data=text"], "data=text needs data.path"),
        (["data=text", "data.path=bad.txt"], "byte 0xff at position 3"),
        (["data=text", "data.path=empty.txt"], "is empty"),
        (["data=text", "data.path=short.txt"], "expected at least 33 for block_size=32"),
        (["data=pydoc", "data.val_fraction=1.5"], "data.val_fraction: got 1.5"),
        (["data=pydoc", "tokenizer=bpe", "tokenizer.vocab_size=7"], "expected at least 260"),
        (["data=pydoc", "tokenizer.vocab_size=many"], "tokenizer.vocab_size: got 'many', expected int"),
        (["data=pydoc", "model.n_head=3"], "model.n_embd: got 32, expected a multiple of model.n_head=3"),
        (["data=pydoc", "budget.bytes=9"], "exactly one of steps, bytes, flops, epochs"),
        (["data=pydoc", "device=tpu"], "device: got 'tpu'"),
        (["data=pydoc", "precision=int8"], "precision: got 'int8'"),
        (["data=pydoc", "sample.prompt=''"], "at least one character"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "bad.txt").write_bytes(b"abc\xff" * 99)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "short.txt").write_bytes(b"a b c d")
    mode = ["-m"] if "data=text" in arguments else []
    done = tokexp("run", *mode, *QUICK, *arguments, cwd=tmp_path)
    assert done.returncode not in (0, None)
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1, done.stderr
    assert message in errors[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/**/result.json"))
    assert not list(tmp_path.glob("reports/**/*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tokenizer=nonsense"], "Could not find 'tokenizer/nonsense'"),
        (["model.n_layers=3"], "n_layers"),
        (["train.batch_size=lots"], "lots"),
        (["tokenizer=word", "tokenizer.patern=gpt2"], "patern"),
        (["sweeps=nonsense"], "nonsense"),
    ],
)
def test_wrong_key_type_or_option_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = tokexp("run", *arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["sample", "report", "evaluate"])
def test_commands_without_a_run(tmp_path: Path, command: str) -> None:
    more = ["--text", "x.txt"] if command == "evaluate" else []
    done = tokexp(command, "nowhere", *more, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_one_failed_run_does_not_stop_the_others(text_file: Path, tmp_path: Path) -> None:
    data = ["data=text", f"data.path={text_file}"]
    done = tokexp("run", "-m", "tokenizer=char", "train.lr=1e30,1e-3", "train.min_lr=0", *data, *QUICK, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 2 runs done" in done.stderr
    assert "the run diverged, so try a smaller train.lr" in done.stderr
    states = [json.loads(p.read_text())["state"] for p in tmp_path.glob("runs/demo/*/status.json")]
    assert sorted(states) == ["diverged", "done"]
    report = (tmp_path / "reports/demo/README.md").read_text()
    assert report.count("no result") == 1
