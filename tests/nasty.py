"""Texts that break tokenizers which are written in haste."""

NASTY = {
    "empty": "",
    "spaces": "  two  spaces and a tab\t",
    "crlf": "a\r\nb\rc\n\n",
    "nul": "a\0b",
    "accents": "déjà vu, naïve café",
    "combining": "e\u0301 n\u0303",
    "emoji": "👩‍👩‍👧‍👦 and 🏳️‍🌈!",
    "cjk": "日本語のテキスト",
    "rtl": "שלום עולם",
    "case": "İstanbul ẞ ǆ K",
    "specials": "<unk> <pad> </w> <0x41> <|endoftext|> ▁ Ġ",
    "contractions": "I'll don't we've 'TIS it's",
    "digits": "1234 3.14 ²",
    "private": "\ue000\U0010ffff\ufffd",
    "long": "a" * 300,
}

TRICKY = " ".join(NASTY.values()) + "aaaa aaa bababab abab " * 9
