"""What ends the program around a sweep says why in one line."""

from __future__ import annotations

import pytest
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf.errors import InterpolationResolutionError

from tokexp.config import InputError
from tokexp.sweep.with_hydra.errors import errors_end_the_program

NOT = "Could not override"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("x: got 1, expected 2"), 2, "error: x: got 1, expected 2"),
        (OSError(28, "No space left on device", "runs"), 2, "error: runs: cannot be read or written (No space left"),
        (
            MissingConfigException("Could not find 'x'\nAvailable options in 'data':\n\ta\n\tb\nConfig search path: c"),
            2,
            "error: Could not find 'x'; Available options in 'data': a, b\n",
        ),
        (ConfigCompositionException("no such key\nfull_key: x"), 2, "error: no such key\n"),
        (ConfigCompositionException(f"{NOT} 'steps'."), 2, "error: steps: there is no such setting; did you mean b"),
        (ConfigCompositionException(f"{NOT} 'qqq'."), 2, "error: qqq: there is no such setting; python -m tokexp.run"),
        (
            MissingConfigException(f"In 'config': Could not find 'data/{__file__}'\nAvailable options in 'data':\n\ta"),
            2,
            f"error: data={__file__}: got a file, expected an option; type data=text data.path={__file__}\n",
        ),
        (ConfigCompositionException("cannot\nadd it by +x"), 2, "error: cannot; add it by +x\n"),
    ],
)  # fmt: skip
def test_one_line(error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, errors_end_the_program():
        raise error
    assert end.value.code == code
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1


def test_a_mistake_of_ours_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as end, errors_end_the_program():
        raise KeyError("x")
    assert end.value.code == 1
    assert "tokexp itself failed" in caplog.text
    assert "KeyError: 'x'" in caplog.text


def test_what_a_resolver_refuses_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, errors_end_the_program():
        raise InterpolationResolutionError("InputError raised while resolving") from InputError("play.txt: not there")
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: play.txt: not there\n"
