"""CodeHunch: a language server with a hunch about your code."""

__version__ = "0.1.0"
