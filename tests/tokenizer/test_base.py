"""Text from ids as they come."""

from __future__ import annotations

from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.base import StreamingDecoder


def test_decoding_half_a_character_shows_it_and_goes_on() -> None:
    byte = train_tokenizer("byte", "")
    assert byte.decode(byte.encode("é")[:1] + byte.encode("a")) == "\ufffda"
    decoder = StreamingDecoder(byte)
    assert [decoder.feed(i) for i in byte.encode("é")] == ["", "é"]
    decoder.feed(byte.encode("é")[0])
    assert decoder.finish() == "\ufffd"
