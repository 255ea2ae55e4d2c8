"""The encoding of text: by its mark, by its zeros, by being valid UTF-8, else by the letters that it gives."""

import codecs
import re
from dataclasses import dataclass
from typing import Any

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WINDOW = 32_768
_WESTERN = {"cp1252", "latin_1", "iso8859_15"}
_SIGN_IN_WORD = re.compile(r"[^\W\d_][\u00a1-\u00bf\u00d7\u00f7][^\W\d_]")
_LIKELY = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "koi8_r",
    "mac_roman",
    "cp437",
    "cp850",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
    "iso8859_2",
    "iso8859_5",
]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes stand for letters, and why this is thought."""

    name: str
    reason: str


def find_encoding(content: bytes) -> Encoding:
    """The encoding of a text; every byte can be decoded with it."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return Encoding(name, f"a byte order mark of {name.removesuffix('-sig')} stands at the start")
    wide = _wide(content[:4096])
    if wide is not None and _decodes(content, wide):
        return Encoding(wide, "every second byte is zero")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _eight_bit(content, error.start)
    return Encoding("utf-8", "all of it is valid UTF-8")


def to_utf8(content: bytes, encoding: str) -> bytes:
    """The text as UTF-8 without a byte order mark.

    Raises:
        UnicodeDecodeError: It is not of this encoding.
        LookupError: There is no such encoding.
    """
    if codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}:
        content = content.removeprefix(codecs.BOM_UTF8)
        content.decode("utf-8")
        return content
    return content.decode(encoding).removeprefix("\ufeff").encode("utf-8")


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: mostly Latin text has a zero in every second byte."""
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0) / len(head[0::2]), head[1::2].count(0) / len(head[1::2])
    if odd > 0.6 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 and odd < 0.1 else None


def _eight_bit(content: bytes, at: int) -> Encoding:
    """An encoding of one (or, in East Asia, two) bytes a letter, from the text around the first odd byte."""
    from charset_normalizer import from_bytes  # pyright: ignore[reportUnknownVariableType]

    start = max(0, content.rfind(b"\n", 0, max(0, at - 2048)) + 1)
    # Only the lines with odd bytes tell encodings apart; the others would drown them.
    lines = [line for line in content[start : start + 64 * _WINDOW].split(b"\n") if not line.isascii()]
    window = b"\n".join(lines)[:_WINDOW]
    guess = _by_letters(window, from_bytes(window, cp_isolation=_LIKELY))
    for name in dict.fromkeys((guess, "cp1252", "latin-1")):
        if _decodes(content, name):
            how = "the letters around look like" if name == guess else "every byte is a letter of"
            return Encoding(name, f"byte {at:,} is not UTF-8, and {how} {name}")
    return Encoding("latin-1", f"byte {at:,} is not UTF-8, and every byte is a letter of latin-1")


def _by_letters(window: bytes, matches: Any) -> str:
    """The encoding whose letters make words; the Western one where it does no worse than another.

    Western European is by far the most frequent, and short texts look well in many encodings.
    """
    ranked = sorted(((m.chaos, -m.coherence, m.encoding, m) for m in matches), key=lambda r: r[:3])
    western = [m for m in matches if _WESTERN & {m.encoding, *m.could_be_from_charset}]
    if not ranked or (len(window) - len(window.decode("ascii", "ignore")) < 8 and _decodes(window, "cp1252")):
        return "cp1252"
    best = ranked[0][-1]
    fits = any(m.chaos <= best.chaos + 0.1 and m.coherence >= best.coherence - 0.1 for m in western)
    return "cp1252" if fits and not _has_signs_in_words(window) else best.encoding if not fits else _other(ranked)


def _has_signs_in_words(window: bytes) -> bool:
    """Whether Western signs such as the superscript three stand in words: so another encoding has letters there."""
    text = window.decode("cp1252", "ignore")
    odd = sum(not letter.isascii() for letter in text)
    signs = len(_SIGN_IN_WORD.findall(text))
    return signs > 1 and signs > 0.05 * odd


def _other(ranked: list[Any]) -> str:
    return next((m.encoding for *_, m in ranked if not _WESTERN & {m.encoding}), "cp1252")


def _decodes(content: bytes, name: str) -> bool:
    try:
        content.decode(name)
    except UnicodeDecodeError:
        return False
    return True
