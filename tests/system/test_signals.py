"""How a program that was asked to stop answers."""

from __future__ import annotations

import signal

import pytest

from tokexp.system.signals import ANSWER, Interrupted, defer_signals


def test_the_first_signal_is_answered_in_words_and_a_second_obeyed_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with defer_signals() as request:
        assert not request
        signal.raise_signal(signal.SIGINT)
        assert request
        assert capfd.readouterr().err == f"\n{ANSWER}\n"
        with pytest.raises(Interrupted) as end:
            signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 128 + signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before


def test_what_can_be_done_again_is_given_up_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with defer_signals() as request:
        with request.obeyed_at_once():
            pass
        with pytest.raises(Interrupted), request.obeyed_at_once():
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted), request.obeyed_at_once():
            pytest.fail("it is not begun either")
    assert capfd.readouterr().err.count(ANSWER) == 1
