"""A corpus made in process, and the settings of a run that takes a second. Nothing here needs a network."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

os.environ["WANDB_MODE"] = "disabled"  # a test that wants W&B says so itself


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


def shakespeare_path() -> Path | None:
    """TinyShakespeare, where this machine has it."""
    here = Path(__file__).parent.parent / "data"
    for folder in (os.environ.get("TOKEXP_DATA"), here):
        if folder and (Path(folder) / "tinyshakespeare/input.txt").is_file():
            return Path(folder) / "tinyshakespeare/input.txt"
    return None


@pytest.fixture(scope="session")
def shakespeare() -> str:
    path = shakespeare_path()
    if path is None:
        pytest.skip("TinyShakespeare is not on this machine; set TOKEXP_DATA")
    return path.read_bytes().decode()
