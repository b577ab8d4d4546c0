"""A part of a corpus: documents of UTF-8 text, in memory or mapped from a file, read one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

STRETCHES = 64  # of a single text, that a sample of it is made of
BLOCK = 1 << 24  # bytes that are looked at at once
DIGEST = 16  # bytes of a SHA-256 that tell documents apart


@dataclass(frozen=True)
class Part:
    """Stretches of UTF-8 text in their order: documents, or what a single text is made of.

    `raw`: (n,) uint8, where they lie, perhaps mapped from a file.
    `begins`, `ends`: (stretches,) int64, of each in `raw`.
    """

    raw: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    separated: bool = False  # each stretch is a document, and <eos> follows it; else all of them are one text
    known_sha256: str | None = None

    @classmethod
    def of_text(cls, text: str) -> Part:
        """A single text, in memory."""
        return cls.of_texts([text], separated=False)

    @classmethod
    def of_texts(cls, texts: list[str], *, separated: bool = True) -> Part:
        """Documents, in memory."""
        each = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, each)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(each), dtype=np.uint8), ends[:-1], ends[1:], separated)

    @cached_property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the text; separators have none."""
        return int((self.ends - self.begins).sum())

    @cached_property
    def lengths(self) -> np.ndarray:
        """The bytes of each document, (documents,) int64: of a single text one."""
        return self.ends - self.begins if self.separated else np.array([self.n_bytes])

    def __len__(self) -> int:
        """Documents; a single text is one."""
        return len(self.begins) if self.separated else 1

    @cached_property
    def text(self) -> str:
        """All of it, end to end. For a part that fits into memory."""
        return "".join(self._stretches())

    def documents(self) -> Iterator[str]:
        """The text of each document."""
        if self.separated:
            yield from self._stretches()
        else:
            yield self.text

    def _stretches(self) -> Iterator[str]:
        for begin, end in zip(self.begins.tolist(), self.ends.tolist(), strict=True):
            yield self.raw[begin:end].tobytes().decode()

    @property
    def lines(self) -> str:
        """What a tokenizer learns from: the text, with a line end after each document that has none."""
        if not self.separated:
            return self.text
        return "".join(text if text.endswith("\n") else text + "\n" for text in self._stretches())

    @cached_property
    def sha256(self) -> str:
        """Of the text; of documents, of their digests in their order, so that other borders make another text."""
        if self.known_sha256 is not None:
            return self.known_sha256
        total = hashlib.sha256()
        for begin, end in zip(self.begins.tolist(), self.ends.tolist(), strict=True):
            document = hashlib.sha256() if self.separated else total
            for at in range(begin, end, BLOCK):
                document.update(self.raw[at : min(at + BLOCK, end)].tobytes())
            if self.separated:
                total.update(document.digest()[:DIGEST])
        return total.hexdigest()

    def head(self, n_bytes: int | None) -> Part:
        """The first whole documents of at most so many bytes, but at least one; the beginning of a single text."""
        if n_bytes is None or self.n_bytes <= n_bytes:
            return self
        if self.separated:
            n = max(1, int(np.searchsorted(np.cumsum(self.ends - self.begins), n_bytes, side="right")))
            return self._of(self.begins[:n], self.ends[:n])
        before = np.cumsum(self.ends - self.begins) - (self.ends - self.begins)
        n = int((before < n_bytes).sum())
        last = self._floor(int(self.begins[n - 1] + n_bytes - before[n - 1]))
        return self._of(self.begins[:n], np.append(self.ends[: n - 1], last))

    def sample(self, n_bytes: int | None) -> Part:
        """About so many bytes from all over it: documents are in no order; a single text is sampled in stretches.

        The last of these ends where the text does, so that what comes after it follows on.
        """
        if n_bytes is None or self.n_bytes <= n_bytes or self.separated:
            return self.head(n_bytes)
        assert len(self.begins) == 1, "a sample of a sample"
        begin, end, length = int(self.begins[0]), int(self.ends[0]), max(4, n_bytes // STRETCHES)
        firsts = np.linspace(begin, end - length, STRETCHES).astype(np.int64).tolist()
        begins = np.array([self._floor(first) for first in firsts])
        ends = np.array([*(self._floor(first + length) for first in firsts[:-1]), end])
        return self._of(begins, ends)

    def contains(self, raw: bytes) -> bool:
        """Whether a single text has `raw` in it."""
        begin, end = int(self.begins[0]), int(self.ends[-1])
        step = max(BLOCK, len(raw))
        return any(raw in self.raw[at : min(at + step + len(raw) - 1, end)].tobytes() for at in range(begin, end, step))

    def _of(self, begins: np.ndarray, ends: np.ndarray) -> Part:
        return Part(self.raw, begins, ends, self.separated)

    def _floor(self, at: int) -> int:
        """The beginning of the character that the byte `at` belongs to."""
        while at < len(self.raw) and self.raw[at] & 0xC0 == 0x80:
            at -= 1
        return at
