"""A corpus made in process, and the settings of a run that takes a second. Nothing here needs a network."""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["WANDB_MODE"] = "disabled"  # a test that wants W&B says so itself
os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported; no test has a name on the hub
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes that share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from tokexp.system import places  # what computes reads that once, so not above
from tokexp.tokenizer import train_tokenizer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every", type=int, default=13, help="of the kills in test_kills.py do each so many-th; 1: all")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests prepare is kept for the session, apart from the checkout's own cache."""
    if places.CACHE.is_dir():
        os.environ.setdefault("TOKEXP_DATA", str(places.CACHE))
    places.CACHE = tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def no_service_left() -> Iterator[None]:
    """W&B leaves the address of its service in the environment, where the commands of later tests would look for it."""
    yield
    os.environ.pop("WANDB_SERVICE", None)


@pytest.fixture(scope="session")
def text() -> str:
    """Some 12,000 characters of speech between two people, with names, capitals and punctuation."""
    rng = random.Random(0)
    words = [
        "the",
        "king",
        "of",
        "my",
        "good",
        "lord",
        "shall",
        "not",
        "be",
        "here",
        "and",
        "what",
        "love",
        "is",
        "thee",
    ]
    names = ["KING EDWARD", "Juliet", "First Citizen"]
    speeches = []
    for _ in range(120):
        sentences = [" ".join(rng.choices(words, k=rng.randint(3, 9))).capitalize() for _ in range(2)]
        speeches.append(f"{rng.choice(names)}:\n{sentences[0]}, {sentences[1].lower()}!\n")
    return "\n".join(speeches)


@pytest.fixture(scope="session")
def text_file(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "play.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def needs_data(name: str) -> Path:
    """A file of the pinned data, where this machine has it: tests never download."""
    path = Path(os.environ.get("TOKEXP_DATA", "nowhere"), name)
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine; set TOKEXP_DATA")
    return path


@pytest.fixture(scope="session")
def shakespeare() -> str:
    return needs_data("tinyshakespeare/input.txt").read_bytes().decode()


def settings_of(kind: str, folder: Path, text: str) -> dict[str, Any]:
    """Settings with which `train_tokenizer` makes a small tokenizer of any kind."""
    if kind == "gpt2":
        needs_data("gpt2/vocab.bpe")
    if kind == "file":
        saved = train_tokenizer("hf_bpe", text, vocab_size=320).to_json()["library"]
        (folder / "mine.json").write_text(json.dumps(saved))
        return {"path": str(folder / "mine.json")}
    sized = kind not in ("byte", "char", "word", "word_cased", "gpt2")
    return {"vocab_size": 330} if sized else {}


@pytest.fixture(scope="session")
def transformers() -> Any:
    """Hugging Face's library, where it is installed; its import may warn of its own affairs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("transformers")
        library.logging.set_verbosity_error()
        assert library.GPT2LMHeadModel  # imported when it is asked for
    return library
