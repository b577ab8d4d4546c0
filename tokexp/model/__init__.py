"""The one GPT that every tokenizer feeds."""

from tokexp.model.gpt import GPT, GPTConfig

__all__ = ["GPT", "GPTConfig"]
