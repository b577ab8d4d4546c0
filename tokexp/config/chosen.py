"""What was chosen by looking at held-out text: written beside the choice, in `conf/`, in `sweeps/` or in code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

LINE = re.compile(r"(?P<setting>\S+)=(?P<value>\S+) by (?P<by>.+) on (?P<on>\S+)")


@dataclass(frozen=True)
class Chosen:
    """A setting whose value was chosen by looking at the held-out part of a corpus."""

    setting: str  # dotted, or `model`; of what is no setting, what it is
    value: str
    by: str  # what was looked at: the runs, the study
    on: str  # the name of the corpus

    @classmethod
    def of(cls, line: str) -> Self | None:
        """Of a line as in `tuned`, SETTING=VALUE by WHAT on CORPUS; None for other text, as older runs have it."""
        parts = LINE.fullmatch(line)
        return cls(**parts.groupdict()) if parts else None

    def is_at(self, value: object) -> bool:
        """Whether a setting has still the value that was chosen; numbers may be written otherwise."""
        try:
            return float(self.value) == float(str(value))
        except ValueError:
            return self.value == str(value)
