"""The page of a report: escaped, self-contained, the same each time, and at work in a browser where there is one."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tokexp.analysis.tables import cells, labels
from tokexp.config import InputError
from tokexp.rendering.drawn import curves_of, island
from tokexp.rendering.page import inline, kind_of, prose, render, write_html
from tokexp.rendering.passage import cut_lines
from tokexp.rendering.sections import make_sections
from tokexp.rendering.style import LINES, MARKERS, looks, luminance, on_dark, on_white
from tokexp.runs.gather import read_segments
from tokexp.runs.result import columns
from tokexp.runs.study import TABLES, Study, read_study
from tokexp.scoring.samples.readability import MEASURES

EVIL = "</script></textarea><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
TEXT = "corpus", "corpus_sha256", "val_sha256"
VOID = {"meta", "img", "input", "br", "link"}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SAMPLE = f"\nKING:\nHow now & é {EVIL}"


def run(arm: str, seed: int = 0, **settings: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(columns(), 1)
    row |= dict.fromkeys(TEXT, "text") | {"arm": arm, "seed": seed, "size": "nano", "val_bytes": 640, "tuned": ""}
    row |= {"trained_on": "train", "machine": "one", "device": "cpu", "git_commit": "abc", "git_dirty": "False"}
    row |= {"versions": "v", "budget": "steps=100", "precision": "float32", "marginal_gain_bpb": np.nan}
    row |= {
        "tokenizer_sha256": arm,
        "settings": json.dumps({"train.schedule": "cosine", "budget.steps": 100, **settings}),
    }
    row |= {"name": f"{arm}-{seed}-{json.dumps(settings)}", "val_bpb": 2 + seed / 10 + len(arm) / 20 + len(settings)}
    return {**row, "config_hash": row["name"], "best_val_bpb_crossfit": row["val_bpb"], "bytes_seen": 100 * len(arm)}


def curve(row: dict[str, Any], evaluations: int = 4) -> list[dict[str, Any]]:
    steps = [100 * (i + 1) // evaluations for i in range(evaluations)]
    wide = dict.fromkeys(("loss", "grad_norm"), 1.0)
    return [
        {"name": row["name"], "step": step, "bytes_seen": step * len(row["arm"]), "flops": step * 1e9,
         "seconds": step / 7, "val_bpb": row["val_bpb"] + (100 - step) / 50,
         "val_loss": 2.0, "train_loss": 1.9, "lr": 1e-3}
        | {f"{name}_{how}": value for name, value in wide.items() for how in ("mean", "min", "max")}
        for step in steps
    ]  # fmt: skip


def threes(text: str) -> list[int]:
    """Pieces of three bytes, and what is left, which cut some characters in two."""
    whole, rest = divmod(len(text.encode()), 3)
    return [3] * whole + [rest]


def study(rows: list[dict[str, Any]], name: str = "made-up", text: str = SAMPLE, **changes: Any) -> Study:
    noise = np.random.default_rng(0).normal(0, 0.01, 64)
    blocks = [
        {"name": row["name"], "step": 100, **{f"b{i}": (row["val_bpb"] + noise[i]) * 10 * np.log(2) for i in range(64)}}
        for row in rows
    ]
    human = [{"name": "", "temperature": np.nan, "sample": i} for i in range(3)]
    read = [{"name": row["name"], "temperature": 0.8, "sample": 0} for row in rows]
    common = {"val_sha256": "text", "corpus_sha256": "text", "chars": 9}
    baseline = {**dict.fromkeys(TEXT, "text"), "family": "static", "val_bpb": 2.2, "val_bpb_restoration": 0.0}
    drawn = [{"prompt": "KING", "temperature": 0.8, "sample": 0, "text": text, "equal": e} for e in ("tokens", "chars")]
    lengths = [len(char.encode()) for char in text]
    cut = {
        "of": "sample",
        "temperature": 0.8,
        "sample": 0,
        "bytes": lengths,
        "unknown": [2],
        "copied": [[1, 5]],
        "new_words": [[7, 10]],
    }
    passage = {"of": "held out", "text": "KING:\nhé <b>\n\nyou", "bytes": [4, 2, 1, 1, 1, 4, 5], "unknown": [5]}
    made = Study(
        name, pd.DataFrame(rows), pd.DataFrame([p for row in rows for p in curve(row)]), pd.DataFrame(blocks),
        content=pd.DataFrame(columns=["name", "partition", "class", "bytes", "bits"]),
        readability=pd.DataFrame(
            [{**row, **common, **dict.fromkeys(MEASURES, 0.5 + row["sample"])} for row in human + read]
        ),
        baselines=pd.DataFrame([{**baseline, "baseline": "Kneser-Ney"}]),
        samples=[
            {"name": row["name"], "arm": row["arm"], "seed": row["seed"], **sample} for row in rows for sample in drawn
        ],
        missing=[],
        segments=[
            {"name": row["name"], **part}
            for row in rows
            for part in (passage, {**cut, "equal": "tokens"}, {**cut, "equal": "chars", "bytes": threes(text)})
        ],
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def rendered(made: Study, figures: Path) -> str:
    return render(made, make_sections(made), figures)


def several() -> list[dict[str, Any]]:
    return [run(arm, seed) for arm in ("char", "bpe", "words") for seed in (0, 1)]


class Page(HTMLParser):
    """Elements with their attributes, and the text inside each kind of element; a tag left open or not opened fails."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            at = max(i for i, (tag, _) in enumerate(self.texts) if tag == self._open[-1])
            self.texts[at] = (self._open[-1], self.texts[at][1] + data)

    def all(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        at = [i for i, own in enumerate(self.attributes("script")) if own.get("id") == "data"]
        found: dict[str, Any] = json.loads(self.all("script")[at[0]])
        return found


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, for pages without the library's five megabytes."""
    monkeypatch.setattr("tokexp.rendering.page.get_plotlyjs", lambda: "'plotly'")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "bits_per_byte_0.png").write_bytes(PIXEL)
    return folder


def test_structure(figures: Path) -> None:
    made = study(several())
    page = Page(rendered(made, figures))
    assert page.all("h1") == ["made-up"]
    ids = [own["id"] for _, own in page.elements if "id" in own]
    assert len(ids) == len(set(ids))
    links = {own["href"] for own in page.attributes("a")}
    assert {"#bits_per_byte-0", "#curves-0", "#samples-0", "#passage-0", "#differences-0"} <= links
    assert {link.removeprefix("#") for link in links if link} <= set(ids)
    assert any("Best is bpe" in text for text in page.all("li"))
    assert [cell["name"] for cell in page.data["parts"][0]["cells"]] == ["bpe", "char", "words"]
    assert page.attributes("img")[0]["src"] == "data:image/png;base64," + base64.b64encode(PIXEL).decode()


def test_nothing_from_elsewhere_and_no_script_but_its_own(figures: Path) -> None:
    page = Page(rendered(study(several()), figures))
    for tag, own in page.elements:
        for name, value in own.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                assert str(value).startswith(("#", "data:image/")), (tag, name, value)
    assert "@import" not in page.all("style")[0]
    assert "url(" not in page.all("style")[0]
    policy = next(own["content"] for own in page.attributes("meta") if own.get("http-equiv"))
    scripts = [
        text for own, text in zip(page.attributes("script"), page.all("script"), strict=True) if "type" not in own
    ]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert sorted(re.findall(r"'sha256-([^']+)'", str(policy))) == sorted(digests)
    assert "default-src 'none'" in str(policy)


def test_hostile_text_is_shown(figures: Path) -> None:
    rows = [run(EVIL), run("{{ 7 * 7 }}", **{"train.lr": EVIL}), run("{{ 7 * 7 }}", **{"train.lr": "*x* ` **y**"})]
    made = study(rows, name=EVIL, missing=[{"name": EVIL, "state": "failed", "reason": EVIL}])
    page = Page(rendered(made, figures))
    assert len(page.attributes("script")) == 4
    assert len(page.attributes("img")) == 1
    assert page.all("h1") == [EVIL]
    assert "{{ 7 * 7 }} lr=*x* ` **y**" in page.all("td")
    assert {text.removeprefix("\n") for text in page.all("pre")} == {SAMPLE}
    assert any(EVIL in text for text in page.all("li"))
    part = page.data["parts"][0]
    assert part["samples"]["runs"][0]["texts"][0]["text"] == SAMPLE
    assert any(EVIL in cell["name"] for cell in part["cells"])


def test_json_cannot_leave_its_island() -> None:
    text = str(island({"a": "</script><!--<script>&\u2028\u2029é"}))
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"a": "</script><!--<script>&\u2028\u2029é"}


def test_the_same_bytes_each_time(tmp_path: Path, figures: Path) -> None:
    path = write_html(study(several()), tmp_path)
    assert path == tmp_path / "index.html"
    first = path.read_bytes()
    assert write_html(study(several()), tmp_path).read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert first != write_html(study(several()[:-1]), tmp_path).read_bytes()


def test_one_run_alone_without_samples_or_segments(tmp_path: Path) -> None:
    page = Page(rendered(study([run("char")], samples=[], segments=[]), tmp_path))
    part = page.data["parts"][0]
    assert [cell["seeds"] for cell in part["cells"]] == [1]
    assert "mean" not in part["cells"][0]
    assert part["samples"] == {"draws": [], "runs": []}
    assert not page.attributes("img")
    assert "Samples" not in page.all("h3")


def test_samples_without_segments_are_plain(figures: Path) -> None:
    page = Page(rendered(study(several(), segments=[]), figures))
    text = page.data["parts"][0]["samples"]["runs"][0]["texts"][0]
    assert text["bytes"] == text["copied"] == []
    assert "passage-0" not in {own.get("id") for _, own in page.elements}
    made = study(several())
    stale = [row | ({"bytes": [1]} if row["of"] == "sample" else {}) for row in made.segments]
    page = Page(rendered(dataclasses.replace(made, segments=stale), figures))
    assert page.data["parts"][0]["samples"]["runs"][0]["texts"][0]["bytes"] == []


def test_runs_that_lack_samples_or_a_class(figures: Path) -> None:
    made = study(several())
    without = [row for row in made.samples if not row["name"].startswith("char")]
    drawn = Page(rendered(dataclasses.replace(made, samples=without), figures)).data["parts"][0]["samples"]
    assert {run_["cell"] for run_ in drawn["runs"]} == {"bpe", "words"}
    assert drawn["draws"] == ["equal tokens, temperature 0.8, sample 1", "equal characters, temperature 0.8, sample 1"]


def test_two_texts_are_two_parts(figures: Path) -> None:
    other = run("char") | {"name": "elsewhere", "config_hash": "elsewhere", "corpus": "b", "val_sha256": "b"}
    made = study([*several(), other])
    read = pd.concat([made.readability, made.readability.assign(val_sha256="b")])
    page = Page(rendered(dataclasses.replace(made, readability=read), figures))
    assert len(page.data["parts"]) == len(page.attributes("article")) == 2
    ids = [own["id"] for _, own in page.elements if "id" in own]
    assert len(ids) == len(set(ids))


def test_of_many_runs_the_samples_of_the_first_seeds_are_shown(figures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokexp.rendering.page.MOST_SAMPLED", 8)
    rows = [run("char", seed, **{"train.lr": lr}) for lr in range(3) for seed in (2, 1, 0)]
    rows = [row | {"val_bpb": 3 - row["seed"] / 10} for row in rows]  # so that the last seed is the best one
    drawn = Page(rendered(study(rows), figures)).data["parts"][0]["samples"]["runs"]
    assert sorted(run_["label"] for run_ in drawn) == sorted(f"char lr={lr} s0" for lr in range(3))


def test_curves_by_hand() -> None:
    made = study([run("char", 0), run("char", 1), run("bpe")])
    longer = made.curves[made.curves.name == made.results.name[0]].tail(1).assign(step=200, val_bpb=1.0)
    made = dataclasses.replace(made, curves=pd.concat([made.curves, longer]))
    runs = made.results.assign(cell=cells(made.results), label=labels(made.results))
    found = {cell["name"]: cell for cell in curves_of(made, runs, looks(runs))}
    mean = found["char"]["mean"]
    assert mean["x"]["steps"] == [25, 50, 75, 100]  # one seed alone went on
    assert mean["x"]["bytes"] == [100, 200, 300, 400]
    assert mean["y"]["val_bpb"] == [3.75, 3.25, 2.75, 2.25]
    assert (mean["low"]["val_bpb"][-1], mean["high"]["val_bpb"][-1]) == (2.2, 2.3)
    assert found["char"]["runs"][0]["y"]["val_bpb"][-1] == 1
    assert "mean" not in found["bpe"]


def test_every_look_has_its_like_in_plotly() -> None:
    from tokexp.rendering.drawn import DASHES, SYMBOLS

    assert set(LINES) == set(DASHES)
    assert set(MARKERS) == set(SYMBOLS)


def test_lines_by_hand() -> None:
    text = "ab\n\ncdé f"
    found = list(cut_lines(text, [1, 1, 3, 2, 1, 1, 1], {4}))  # a|b|\n\nc|d + half of é|the other half|' '|f
    assert found == [
        (3, [("p0", "a"), ("p1", "b"), ("p2", "⏎⏎")]),
        (4, [("p2 on", "c"), ("p3 torn", "dé"), ("p1", " "), ("p2", "f")]),
    ]
    (one,) = cut_lines("x", [1], {0})
    assert one == (1, [("p0 unknown", "x")])


@pytest.mark.parametrize("lengths", [[1] * 19, [19], [7, 0, 12], [18, 1]])
def test_lines_are_the_whole_text(lengths: list[int]) -> None:
    text = "\né\n\n\nüb👑 x\r\n\ty"
    assert sum(lengths) == len(text.encode())
    found = list(cut_lines(text, lengths, set()))
    shown = "".join(piece for _, pieces in found for _, piece in pieces)
    assert shown == text.replace("\n", "⏎").replace("\r", "␍").replace("\t", "⇥")
    edges = [start for start, end in pairwise(accumulate(lengths, initial=0)) if start < 19]
    assert sum(begin for begin, _ in found) == len(edges)


def test_sentences_and_columns() -> None:
    assert [str(block) for block in prose("a **b** <c>\n\n- d\n- e")] == [
        "<p>a <strong>b</strong> &lt;c&gt;</p>",
        "<ul><li>d</li><li>e</li></ul>",
    ]
    assert str(inline("*a* `b_c` **d** <e>")) == "<em>a</em> <code>b_c</code> <strong>d</strong> &lt;e&gt;"
    assert kind_of(["1.2 ± 0.1", "", "(3.1 at 5% of its schedule)", "-0.3", "1e-05"]) == "n"
    assert kind_of(["resolved", "1"]) == "s"
    assert kind_of(["x" * 40]) == ""


def test_dark_colours_are_seen_and_light_ones_stay() -> None:
    assert on_dark("#e69f00") == "#e69f00"
    assert on_dark("#000000") not in ("#000000", "#ffffff")
    red, green, blue = (int(on_dark("#0072b2")[i : i + 2], 16) for i in (1, 3, 5))
    assert blue > green > red


def test_names_can_be_read_on_white() -> None:
    assert on_white("#0072b2") == "#0072b2"
    for pale in ("#e69f00", "#ffffff", "#56b4e9"):
        channels = [int(on_white(pale)[i : i + 2], 16) for i in (1, 3, 5)]
        assert 4.5 <= 1.05 / (luminance(channels) + 0.05) < 6


def write(made: Study, folder: Path) -> None:
    for name in TABLES:
        getattr(made, name).to_csv(folder / f"{name}.csv", index=False)
    (folder / "samples.jsonl").write_text("")
    (folder / "missing.json").write_text("[]")


def test_data_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    """As when rows were joined by hand: a run's evaluations are gone, or it ended in no number."""
    whole = study([run("char"), run("bpe")])
    write(whole, tmp_path)
    assert len(read_study("x", tmp_path).results) == 2
    for table in ("curves", "blocks"):
        rows = getattr(whole, table)
        write(dataclasses.replace(whole, **{table: rows[rows.name != whole.results.name[1]]}), tmp_path)
        with pytest.raises(InputError, match=f"{table}.csv: has no rows of bpe-0-"):
            read_study("x", tmp_path)
    for bad in (np.nan, np.inf):
        write(dataclasses.replace(whole, results=whole.results.assign(val_bpb=[2.0, bad])), tmp_path)
        with pytest.raises(InputError, match=r"val_bpb of bpe-0-.* is no finite number"):
            read_study("x", tmp_path)


def test_segments_in_the_data(tmp_path: Path) -> None:
    made = study([run("char")])
    write(made, tmp_path)
    assert read_study("x", tmp_path).segments == []
    rows = [{"of": "sample", "sample": i} for i in range(4)] + [{"of": "held out"}]
    (tmp_path / "segments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_study("x", tmp_path).segments == rows
    kept = read_segments(tmp_path, made.results.name[0])
    assert [row.get("sample") for row in kept] == [0, 1, None]
    assert {row["name"] for row in kept} == {made.results.name[0]}
    assert read_segments(tmp_path / "nowhere", "x") == []


def test_needs_no_torch() -> None:
    code = "import sys, tokexp.report, tokexp.rendering.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- in a browser ---


# Chromium wants the pipes as files 3 and 4, whatever numbers they have here.
LAUNCH = """
import fcntl, os, sys
first, second = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(first, 3)
os.dup2(second, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A Chromium without a window, driven over the pipe of its DevTools protocol: JSON messages, a NUL after each."""

    def __init__(self, program: str, profile: Path) -> None:
        their_in, my_out = os.pipe()
        my_in, their_out = os.pipe()
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        launch = [sys.executable, "-c", LAUNCH, str(their_in), str(their_out), *command]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(launch, pass_fds=(their_in, their_out), **quiet)
        os.close(their_in)
        os.close(their_out)
        self._out, self._in = os.fdopen(my_out, "wb", buffering=0), os.fdopen(my_in, "rb")
        self._left, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def start(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._out.write(json.dumps(message).encode() + b"\0")
        while (got := self._receive()).get("id") != self._number:
            self.events.append(got)
        assert "error" not in got, (method, got)
        result: dict[str, Any] = got["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = self._in.read1(1 << 16)
            assert part, "the browser ended"
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, page: Path, width: int = 1200, *, script: bool = True, dark: bool = False, media: str = "") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", **size, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def do(self, expression: str) -> Any:
        """The value of `expression` once the charts have drawn what was asked before."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        found = self.call(
            "Runtime.evaluate", expression=f"{frames}.then(() => {expression})", awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def seen(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._in.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "figures").mkdir()
    (folder / "figures" / "bits_per_byte_0.png").write_bytes(PIXEL)
    (folder / "figures" / "forest_0.png").write_bytes(PIXEL)
    rows = [*several(), run("<b>&amp;</b>%{x}") | {"val_bpb": 12.5}, run("bpe", **{"train.lr": EVIL})]
    return write_html(study(rows, name=EVIL), folder)


TRACES = "document.querySelector('.chart').data.filter(t => t.mode.includes('markers'))"
COLUMN = (
    "[...document.querySelectorAll('#bits_per_byte-0 tbody tr')]"
    ".filter(r => !r.hidden).map(r => r.cells[%d].textContent)"
)


def click(what: str) -> str:
    return f"document.querySelector({what!r}).click()"


def enter(what: str, value: str, event: str) -> str:
    return (
        f"{{ const field = document.querySelector({what!r}); field.value = {value!r};"
        f" field.dispatchEvent(new Event({event!r}, {{bubbles: true}})) }}"
    )


def test_at_work(browser: Browser, page: Path) -> None:
    browser.open(page)
    cells_ = Page(page.read_text(encoding="utf-8")).data["parts"][0]["cells"]

    # Curves: axes, seeds, runs.
    assert browser.do(f"{TRACES}.map(t => t.x)") == [cell.get("mean", cell["runs"][0])["x"]["bytes"] for cell in cells_]
    assert "bytes" in browser.do("document.querySelector('.chart .xtitle').textContent")
    for axis, unit in (("FLOPs", "FLOPs"), ("seconds", "seconds"), ("steps", "steps")):
        browser.do(click(f".curves [name=x][value={axis}]"))
        assert browser.do(f"{TRACES}[0].x") == cells_[0].get("mean", cells_[0]["runs"][0])["x"][axis]
        assert unit in browser.do("document.querySelector('.chart .xtitle').textContent")
    assert browser.do("document.querySelectorAll('.chart .annotation').length") == len(cells_) + 1  # and a baseline
    hollow = browser.do(f"{TRACES}[0].marker.color")
    assert len(set(hollow[:-1])) == 1
    assert hollow[-1] != hollow[0]
    assert browser.do("document.querySelector('.chart').data.filter(t => t.fill === 'tonexty').length") == 3
    browser.do(click(".curves [name=seeds][value=each]"))
    assert browser.do(f"{TRACES}.length") == sum(len(cell["runs"]) for cell in cells_)
    browser.do(click(".curves [name=seeds][value=mean]"))
    browser.do(click(".chips label input"))
    assert browser.do(f"{TRACES}.length") == len(cells_) - 1
    browser.do("[...document.querySelectorAll('.chips button')].find(b => b.textContent === 'all').click()")
    assert browser.do(f"{TRACES}.length") == len(cells_)
    browser.do(enter("[name=y]", "lr", "change"))
    assert browser.do(f"{TRACES}[0].y") == [0.001] * 4

    # Tables: sort by figures, by text, back; filter.
    before = browser.do(COLUMN % 4)
    browser.do(click("#bits_per_byte-0 th:nth-child(5) button"))
    figures_ = [float(text.split()[0]) for text in browser.do(COLUMN % 4)]
    assert figures_ == sorted(figures_)
    browser.do(click("#bits_per_byte-0 th:nth-child(5) button"))
    figures_ = [float(text.split()[0]) for text in browser.do(COLUMN % 4)]
    assert figures_ == sorted(figures_, reverse=True)
    assert browser.do("document.querySelector('#bits_per_byte-0 th[aria-sort]').ariaSort") == "descending"
    browser.do(click("#bits_per_byte-0 th:nth-child(5) button"))
    assert browser.do(COLUMN % 4) == before
    browser.do(click("#bits_per_byte-0 th:nth-child(2) button"))
    assert browser.do(COLUMN % 1)[-1] == ""  # a baseline has no seeds
    browser.do(enter("#bits_per_byte-0 [type=search]", "WORD", "input"))
    assert browser.do(COLUMN % 0) == ["words"]

    # Samples: the whole text, cut and marked.
    pieces = "[...document.querySelectorAll('.samples figure:first-child b')]"
    assert browser.do("document.querySelector('.samples pre').textContent") == SAMPLE
    assert len(SAMPLE) == browser.do(f"{pieces}.length")
    assert (
        browser.do(f"{pieces}.filter(b => b.classList.contains('copied')).map(b => b.textContent).join('')") == "KING"
    )
    assert browser.do(f"{pieces}.findIndex(b => b.classList.contains('unknown'))") == 2
    browser.do(enter("[name=draw]", "1", "change"))
    browser.do(click(".samples [name=marks]"))
    ((_, shown),) = cut_lines(SAMPLE.replace("\n", " "), threes(SAMPLE), set())  # in one line
    classes = browser.do(
        f"{pieces}.map(b => [b.className.split(' ').sort().join(' '), b.textContent.replace(/\\n/g, ' ')])"
    )
    assert classes == [[" ".join(sorted(kind.split())), text] for kind, text in shown]
    assert "torn" in " ".join(kind for kind, _ in classes)
    browser.do(click(".samples [name=marks]"))
    browser.do(click(".samples [name=pieces]"))
    browser.do(click(".samples [name=marks]"))
    assert browser.do(f"{pieces}.length") == 0

    # Theme.
    white = browser.do("getComputedStyle(document.body).backgroundColor")
    browser.do(click("#theme"))
    assert browser.do("document.documentElement.dataset.theme") == "dark"
    assert browser.do("getComputedStyle(document.body).backgroundColor") != white
    assert browser.do("document.querySelector('.chart').layout.font.color") == browser.do(
        "getComputedStyle(document.body).color"
    )
    browser.do(click("#theme"))
    assert browser.do("getComputedStyle(document.body).backgroundColor") == white
    assert browser.do("localStorage.getItem('tokexp-theme')") == "light"
    browser.do("localStorage.clear()")

    # Nothing ran that was text, nothing was complained of, nothing was asked of a network.
    assert browser.do("window.hacked === undefined")
    assert browser.do("document.title").startswith(EVIL[:9])
    complaints = [
        browser.seen(kind) for kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    ]
    assert complaints == [[], [], []]
    asked = {request["request"]["url"].split(":")[0] for request in browser.seen("Network.requestWillBeSent")}
    assert asked <= {"file", "data"}


def test_names_stay_names_in_charts(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = browser.do("[...document.querySelectorAll('.chart .annotation')].map(a => a.textContent)")
    assert any("<b>&amp;</b>%{x}" in text for text in shown)
    browser.do(
        "{ const chart = document.querySelector('.chart');"
        " const curveNumber = chart.data.findIndex(t => t.text && t.text[0].includes('%{x}'));"
        " Plotly.Fx.hover(chart, [{curveNumber, pointNumber: 0}]) }"
    )
    shown = browser.do("document.querySelector('.chart .hoverlayer').textContent")
    assert "<b>&amp;</b>%{x}" in shown
    assert "25 % of its schedule" in shown


def test_dark_is_followed(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    assert browser.do("document.querySelector('#theme').textContent") == "light"
    red = int(re.findall(r"\d+", browser.do("getComputedStyle(document.body).backgroundColor"))[0])
    assert red < 60


def test_on_a_phone_nothing_is_wider(browser: Browser, page: Path) -> None:
    browser.open(page, width=360)
    assert browser.do("document.documentElement.scrollWidth") == 360
    assert browser.do("innerWidth") == 360
    assert browser.do("document.querySelector('#bits_per_byte-0 .box').scrollWidth") > 360  # which scrolls inside


def test_without_scripts_and_on_paper(browser: Browser, page: Path) -> None:
    static, chart = (f"getComputedStyle(document.querySelector('{what}')).display" for what in (".static", ".chart"))
    browser.open(page, script=False)
    shown = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def displayed(selector: str) -> bool:
        node = browser.call("DOM.querySelector", nodeId=shown, selector=selector)["nodeId"]
        browser.call("CSS.enable")
        style = browser.call("CSS.getComputedStyleForNode", nodeId=node)["computedStyle"]
        return {entry["name"]: entry["value"] for entry in style}["display"] != "none"

    assert displayed(".static")
    assert displayed("table.data")
    assert displayed(".samples pre")
    assert not displayed(".chart")
    assert not displayed(".controls")
    browser.open(page, media="print")
    assert browser.do(static) != "none"
    assert browser.do(chart) == "none"
    browser.open(page)
    assert browser.do(static) == "none"
