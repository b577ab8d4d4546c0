"""tokexp: how does the choice of tokenizer change what a small GPT learns, costs and writes?"""

__version__ = "0.1.0"
