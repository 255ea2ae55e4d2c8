"""Names: the right one for a mistyped one."""

from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A hint that ends a message: " Did you mean 'age'?", or the first of the names there are.

    >>> did_you_mean("agee", ["age", "sex"])
    " Did you mean 'age'?"
    """
    import difflib

    known = [str(n) for n in names]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f" There are: {', '.join(known[:12])}{more}."
