"""Numbers as people read them. Pure."""

from forllm_server.catalog.model import ContextSource, Model


def context_words(model: Model) -> str:
    """``8,192 tokens`` and where that is from."""
    if model.context_tokens is None:
        return "context size not known"
    guess = {ContextSource.KNOWN: "", ContextSource.TOLD: " as you said", ContextSource.GUESSED: " guessed"}
    return f"{model.context_tokens:,} tokens{guess[model.context_source]}"


def size_words(size_bytes: int | None) -> str:
    """``4.7 GB``; empty when nobody knows."""
    if size_bytes is None:
        return ""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "kB") or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 reply``, ``2 replies``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
