"""The command line, typed as a user types it, in a process of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import tokexp

QUICK = [
    "model=nano", "budget.steps=6", "train.eval_every=3", "train.batch_size=2", "sample.tokens=5",
    "sample.count=1", "sample.chars=10", "tracking.mode=disabled",
]  # fmt: skip


@pytest.fixture(scope="module")
def swept(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    cwd = tmp_path_factory.mktemp("swept")
    data = ["data=text", f"data.path={text_file}"]
    sweep = ["-m", "tokenizer=char,word,bpe", "tokenizer.vocab_size=300", *data, *QUICK]
    return cwd, tokexp("run", *sweep, cwd=cwd, every_picture=True)


def test_sweep_trains_and_names_its_report(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, done = swept
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "report: reports/demo/README.md"
    assert "These runs cannot say which tokenizer is better." in done.stderr, (
        "the terminal says no more than the report"
    )
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
    assert report.startswith("# Which of bpe, char and word needs the fewest bits per byte on ")
    assert "**These runs cannot say which tokenizer is better.**" in report, "six steps are not one pass"
    assert "All runs have a budget of steps=6, the model nano" in report
    assert "At equal steps they read unlike amounts of text: bpe " in report
    assert report.count("**not resolved**: one seed is an anecdote") == report.count("**not resolved**") > 3
    for path in swept[0].glob("runs/demo/*/result.json"):
        result = json.loads(path.read_text())
        assert f"{result['val_bpb']:.3f}" in report
        (panel,) = swept[0].glob(f"reports/demo/figures/panel_{result['arm']}-nano-*.png")
        assert f"figures/{panel.name}" in report
        assert panel.read_bytes()[1:4] == b"PNG"


def test_same_command_again_trains_nothing(
    swept: tuple[Path, subprocess.CompletedProcess[str]], text_file: Path
) -> None:
    cwd, _ = swept
    before = {p: p.stat().st_mtime_ns for p in cwd.glob("runs/demo/*/result.json")}
    words = ["tokenizer.vocab_size=300", "data=text", f"data.path={text_file}", *QUICK]
    again = tokexp("run", "-m", "tokenizer=char,word,bpe", *words, cwd=cwd)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("done before") == 3
    assert {p: p.stat().st_mtime_ns for p in cwd.glob("runs/demo/*/result.json")} == before
    rows = (cwd / "reports/demo/data/results.csv").read_text()
    part = tokexp("run", "-m", "tokenizer=char,word", *words, "sweep=demo", cwd=cwd, every_picture=True)
    assert part.returncode == 0, part.stderr
    assert (cwd / "reports/demo/data/results.csv").read_text() == rows, "a smaller sweep of its name takes none away"


def test_report_is_rebuilt_without_torch_and_without_runs(
    swept: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    cwd, _ = swept
    (cwd / "reports").rename(tmp_path / "reports")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    blocked = "import sys, runpy\nfor n in ('torch','hydra','wandb'): sys.modules[n] = None\n"
    code = blocked + "sys.argv = ['report', 'demo']; runpy.run_module('tokexp.report', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "reports/demo/README.md" in done.stdout, done.stderr
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before, "same results, same bytes"


def test_sample_and_evaluate(swept: tuple[Path, subprocess.CompletedProcess[str]], text_file: Path) -> None:
    cwd, _ = swept
    bpb = {}
    for path in sorted(cwd.glob("runs/demo/*/result.json")):
        bpb[path.parent.name] = json.loads(path.read_text())["val_bpb"]
        sampled = tokexp("sample", path.parent.name, "--prompt", "Juliet:", "--tokens", "9", cwd=cwd)
        assert sampled.returncode == 0, sampled.stderr
        assert sampled.stdout.startswith("Juliet:")
    text = text_file.read_bytes().decode()
    (cwd / "val.txt").write_bytes(text[int(len(text) * 0.9) :].encode())
    evaluated = tokexp("evaluate", *bpb, "--text", "val.txt", "--json", cwd=cwd)
    assert evaluated.returncode == 0, evaluated.stderr
    scores = {row["run"]: row["bits_per_byte"] for row in json.loads(evaluated.stdout)["scores"]}
    assert scores == pytest.approx(bpb), "the held-out text scores as in the run"


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
        (["model.n_layers=3"], "error: model.n_layers: there is no such setting; did you mean model.n_layer?\n"),
        (["lr=1e-3"], "error: lr: there is no such setting; did you mean train.lr?\n"),
        (["-m", "launcher=slurm", "seed=0,1"], "error: launcher=slurm: got a machine without srun"),
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resolve"], "only be used in conjunction with --cfg"),
        (["--shell-completion"], "Expecting one subcommand"),
        (["=5"], "Config group override must be a string"),
        (["-m", "=5"], "Config group override must be a string"),
        (["tokenizer=[a"], "no viable alternative at input '[a'"),
        (["hydra.verbose=5", "data=pydoc"], "AssertionError"),
    ],
)
def test_words_that_hydra_cannot_use_are_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    done = tokexp("run", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


@pytest.mark.parametrize(("flag", "shown"), [("--hydra-help", "== Flags =="), ("--info=plugins", "Launcher:")])
def test_flags_of_hydra_show_what_they_are_for(tmp_path: Path, flag: str, shown: str) -> None:
    done = tokexp("run", flag, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout


@pytest.mark.parametrize("command", ["sample", "report", "evaluate"])
def test_commands_without_a_run(tmp_path: Path, command: str) -> None:
    more = ["--text", "x.txt"] if command == "evaluate" else []
    done = tokexp(command, "nowhere", *more, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tokenizer=char,nope"], "Could not find 'tokenizer/nope'; Available options in 'tokenizer': bpe, "),
        (["tokenizer=char", "sweep=a,b"], "sweep: got several names"),
        (["tokenizer=hf_unigram", "tokenizer.vocab_size=5"], "try a larger vocab_size"),
        (["params_total=100000000000"], "try a smaller model"),
        (["train.weight_decay=inf"], "train.weight_decay: got inf, expected at least 0, and finite"),
    ],
)
def test_bad_input_of_a_sweep_is_one_line(tmp_path: Path, text_file: Path, arguments: list[str], message: str) -> None:
    done = tokexp("run", "-m", "data=text", f"data.path={text_file}", *QUICK, *arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("report", ["nope"], "no finished run in runs/nope and no reports/nope/data"),
        ("report", ["../x"], "NAME: got '../x', expected letters"),
        ("report", ["nope", "--prune"], "nothing would be left"),
        ("show", ["bpe", "--text", "\udcff"], "not UTF-8"),
        ("show", ["byte", "--vocab-size", "300", "--text", "a"], "byte leaves no choice"),
        ("show", ["../model/nano", "--text", "a"], "tokenizer: got '../model/nano', expected one of bpe"),
        ("show", ["file", "--path", "empty.txt", "--text", "a"], "got an empty file"),
        ("sample", ["nowhere", "--seed", "99999999999999999999"], "--seed: got 9999"),
        ("bench", ["tokenizers", "--rounds", "0"], "--rounds: got 0, expected at least 1"),
    ],
)
def test_bad_input_of_other_commands_is_one_line(
    tmp_path: Path, text_file: Path, command: str, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty.txt").touch()
    own = ["--data", "text", "--data-path", str(text_file)] if command == "show" else []
    done = tokexp(command, *arguments, *own, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["empty.txt"], "nothing is made"


def test_one_failed_run_does_not_stop_the_others(text_file: Path, tmp_path: Path) -> None:
    data = ["data=text", f"data.path={text_file}", "sweep=demo", *QUICK]
    done = tokexp("run", "-m", "tokenizer=char", "train.lr=1e30,1e-3", "train.min_lr=0", *data, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 2 runs done" in done.stderr
    assert "the run diverged, so try a smaller train.lr" in done.stderr
    states = [json.loads(p.read_text())["state"] for p in tmp_path.glob("runs/demo/*/status.json")]
    assert sorted(states) == ["diverged", "done"]
    report = (tmp_path / "reports/demo/README.md").read_text()
    assert len(re.findall(r"^- char-\S+: diverged: DivergedError: step 2 of 6", report, flags=re.MULTILINE)) == 1


def test_show_needs_no_training(tmp_path: Path, text_file: Path) -> None:
    given = ["--text", "KING né", "--data", "text", "--data-path", str(text_file)]
    done = tokexp("show", "char", "word", "bpe", "--ids", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "K(" in done.stdout
    assert "[·né(1)?]" in done.stdout
    assert "(· is a space; [...?] is text that it has no token for)" in done.stdout
    assert "(· is a space; \\xc3 is one byte of a character that is cut into several tokens)" in done.stdout
    assert "\\xc3(" in done.stdout
    assert re.search(r"bytes per token +1\.000", done.stdout)
    coloured = tokexp("show", "word", "--color", "always", *given, cwd=tmp_path).stdout
    assert "\x1b[30;48;5;" in coloured
    assert "\x1b[1;97;41m·né" in coloured
    wrong = tokexp("show", "nonsense", *given, cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "expected one of bpe, bpe_4k, bpe_classic" in wrong.stderr


def test_bench_prints_ratios_with_their_spread(tmp_path: Path, text_file: Path) -> None:
    done = tokexp("bench", "tokenizers", "--file", str(text_file), "--vocab-size", "300", "--rounds", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"tokexp is \d+\.\d\d times as fast \(\d+\.\d\d to \d+\.\d\d\)", done.stdout)) == 7


def test_a_folder_that_is_not_ours_is_left_alone(text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj/model.safetensors").write_text("mine")
    done = tokexp("run", "data=text", f"data.path={text_file}", "hydra.run.dir=proj", *QUICK, cwd=tmp_path)
    assert done.returncode != 0
    assert "holds model.safetensors, which no run wrote" in done.stderr
    assert (tmp_path / "proj/model.safetensors").read_text() == "mine"


def test_rerun_that_cannot_start_keeps_the_good_result(text_file: Path, tmp_path: Path) -> None:
    data = ["data=text", f"data.path={text_file}", "hydra.run.dir=mine"]
    assert tokexp("run", *data, *QUICK, cwd=tmp_path).returncode == 0
    before = (tmp_path / "mine/result.json").read_bytes()
    failed = tokexp(
        "run", *data, *QUICK, "rerun=true", "tracking.mode=online", cwd=tmp_path, WANDB_API_KEY="", HOME=str(tmp_path)
    )
    assert failed.returncode != 0, failed.stderr
    assert "W&B has no key" in failed.stderr
    assert (tmp_path / "mine/result.json").read_bytes() == before
    other = tokexp("run", *data, *QUICK, "seed=7", cwd=tmp_path)
    assert "holds a finished run of other settings" in other.stderr
    assert (tmp_path / "mine/result.json").read_bytes() == before


def test_interrupted_is_one_line_and_a_status(text_file: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "tokexp.run", "data=text", f"data.path={text_file}", "tokenizer=char",
        *QUICK, "budget.steps=100000", "hydra.run.dir=mine",
    ]  # fmt: skip
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:  # the second time it goes on from where it was saved
            if "of 100000, loss" in line:
                break
        process.send_signal(number)
        rest = process.communicate(timeout=60)[1]
        assert process.returncode == code, rest
        assert "Traceback" not in rest
        assert json.loads((tmp_path / "mine/status.json").read_text())["state"] == "interrupted"


def test_names_that_look_like_numbers_or_like_nothing(tmp_path: Path, text_file: Path) -> None:
    for name in ("1984.txt", "null.txt"):
        (tmp_path / name).write_bytes(text_file.read_bytes() + name.encode())
        words = ["data=text", f"data.path={name}", "sweep=demo", "tokenizer=char,byte"]
        done = tokexp("run", "-m", *words, *QUICK, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert name.removesuffix(".txt") in (tmp_path / "reports/demo/README.md").read_text()


def test_report_says_what_varied_and_keeps_cells_apart(tmp_path: Path, text_file: Path) -> None:
    data = ["data=text", f"data.path={text_file}", "tokenizer=bpe"]
    done = tokexp("run", "-m", *data, *QUICK, "tokenizer.vocab_size=270,300", "train.lr=1e-3,1e-2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "reports").glob("vocab_size-lr-????")
    names = sorted(path.parent.name for path in tmp_path.glob(f"runs/{folder.name}/*/result.json"))
    assert [name[:-8] for name in names] == [
        f"bpe-nano-v{v}-lr-{lr}-s0-" for v in (270, 300) for lr in ("0.001", "0.01")
    ]
    report = (folder / "README.md").read_text()
    assert "Besides the tokenizer, tokenizer.vocab_size and train.lr vary." in report
    assert "bpe vocab_size=270 lr=0.001" in report


def test_a_sweep_that_grows_keeps_what_it_has_done(tmp_path: Path, text_file: Path) -> None:
    """Its runs keep their names, though what it varies, by which new ones are called, is more than before."""
    run = ["-m", "sweep=mine", "tokenizer=char", "data=text", f"data.path={text_file}", *QUICK]
    assert tokexp("run", *run, "train.lr=1e-3", cwd=tmp_path).returncode == 0
    (first,) = tmp_path.glob("runs/mine/*/result.json")
    grown = tokexp("run", *run, "train.lr=1e-3,2e-3", cwd=tmp_path)
    assert grown.returncode == 0, grown.stderr
    assert "2 of 2 runs done (1 before)" in grown.stderr
    assert "left out" not in grown.stderr
    assert first.is_file()
    assert len(list(tmp_path.glob("runs/mine/*/result.json"))) == 2
    assert "missing" not in (tmp_path / "reports/mine/README.md").read_text()


def test_a_run_that_is_committed_is_done_alone_too(tmp_path: Path, text_file: Path) -> None:
    run = ["tokenizer=char", "data=text", f"data.path={text_file}", *QUICK, "sweep=mine"]
    assert tokexp("run", "-m", *run, cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "runs")
    again = tokexp("run", *run, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "done before, in reports/mine" in again.stderr
    assert not list(tmp_path.glob("runs/mine/*/metrics.jsonl"))


def test_what_was_known_by_block_stays_known(tmp_path: Path, text_file: Path) -> None:
    """A run folder from before baselines or tokenizers were kept neither hides its own nor those of another."""
    data = ["data=text", f"data.path={text_file}", "sweep=mine"]
    ran = tokexp("run", "-m", *data, *QUICK, "tokenizer=bpe,char", "tokenizer.vocab_size=300", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    whole = (tmp_path / "reports/mine/data/baselines.csv").read_text()
    assert "Beside the baselines" in (tmp_path / "reports/mine/README.md").read_text()
    (old,) = tmp_path.glob("runs/mine/bpe-*/corpus.json")
    facts = json.loads(old.read_text())
    for row in facts["baselines"]:
        del row["block_nats"]
    old.write_text(json.dumps(facts))
    for file in tmp_path.glob("runs/mine/char-*/tokenizer.json"):
        file.unlink()
    for before in (True, False):
        if not before:
            shutil.rmtree(tmp_path / "reports")
        assert tokexp("report", "mine", cwd=tmp_path).returncode == 0
        assert (tmp_path / "reports/mine/data/baselines.csv").read_text() == whole
        tokenizers = (tmp_path / "reports/mine/data/tokenizers.jsonl").read_text().splitlines()
        kinds = sorted(json.loads(row)["tokenizer"]["kind"] for row in tokenizers)
        assert kinds == (["bpe", "char"] if before else ["bpe"]), "a vocabulary is kept as baselines are"


def test_damaged_run_is_named_and_left_out(tmp_path: Path, text_file: Path) -> None:
    data = ["data=text", f"data.path={text_file}", "tokenizer=char"]
    assert tokexp("run", "-m", *data, *QUICK, "seed=0,1", "sweep=mine", cwd=tmp_path).returncode == 0
    first, second = sorted(tmp_path.glob("runs/mine/char*"))
    (first / "metrics.jsonl").write_text("")
    done = tokexp("report", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"left out: {first.relative_to(tmp_path)}" in done.stderr
    rows = (tmp_path / "reports/mine/data/results.csv").read_text()
    assert first.name in rows, "what it once found is kept, since the sweep has a name"
    (second / "model.safetensors").write_bytes(b"nonsense")
    (first / "tokenizer.json").write_text((first / "tokenizer.json").read_text().replace("a", "A", 1))
    for run in (first, second):
        broken = tokexp("evaluate", str(run), "--text", str(text_file), cwd=tmp_path)
        assert (broken.returncode, broken.stderr.count("\n")) == (2, 1), broken.stderr
