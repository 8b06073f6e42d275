"""Noise that people put into text. Each kind is a function of (text, rng): one seed makes one noise on every machine."""

import re

NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
    "a": "qsz", "s": "adw", "d": "sfe", "f": "dgr", "g": "fht", "h": "gjy", "j": "hku", "k": "jli", "l": "kop",
    "z": "xas", "x": "zcs", "c": "xvd", "v": "cbf", "b": "vng", "n": "bmh", "m": "njk",
}  # fmt: skip
SHORT = {
    "you": "u", "your": "ur", "are": "r", "and": "n", "please": "pls", "thanks": "thx", "thank": "thx", "to": "2", "too": "2",
    "for": "4", "be": "b", "see": "c", "why": "y", "because": "cuz", "with": "w/", "without": "w/o", "tomorrow": "2moro",
    "today": "2day", "great": "gr8", "before": "b4", "people": "ppl", "message": "msg", "have": "hv", "that": "tht",
    "this": "dis", "the": "da", "not": "nt", "from": "frm", "about": "abt", "would": "wud", "could": "cud", "should": "shud",
    "what": "wat", "when": "wen", "very": "v", "know": "kno", "love": "luv", "right": "rite", "night": "nite", "okay": "k",
    "of": "o", "one": "1", "best": "bst", "is": "iz", "was": "wuz", "our": "r", "they": "dey", "them": "dem", "there": "dere",
}  # fmt: skip
LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}


def _words(text, rng, change):
    """`text` with `change(word, rng)` for each run of letters."""
    return re.sub(r"[^\W\d_]+", lambda word: change(word.group(), rng), text)


def _mistyped(word, rng):
    if len(word) < 3 or rng.random() < 0.15:
        return word
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:  # two letters change places
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:  # one is left out
        return word[:at] + word[at + 1 :]
    if kind == 2:  # one comes twice
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(NEIGHBOURS.get(word[at].lower(), "e")) + word[at + 1 :]


def _shortened(word, rng):
    if word.lower() in SHORT:
        return SHORT[word.lower()]
    if len(word) < 4 or rng.random() < 0.25:
        return word.lower()
    inner = re.sub("[aeiou]", "", word[1:-1].lower())  # first and last letter stay: shipment, shpmnt
    return word[0].lower() + inner + word[-1].lower()


def _leet(word, rng):
    return "".join(LEET[c] if c in LEET and rng.random() < 0.6 else c for c in word.lower())


def typos(text, rng):
    """Most words have a slip of the finger: "Thw pacrel hass nto arrvied"."""
    return _words(text, rng, _mistyped)


def chat(text, rng):
    """Shorthand without inner vowels: "da prcl hs nt arrvd"."""
    return re.sub(r"[.,;:!'\"]+", "", _words(text, rng, _shortened))


def leet(text, rng):
    """Digits for letters: "7h3 p4rc3l h45 n07 4rr1v3d"."""
    return _words(text, rng, _leet)


KINDS = {"typos": typos, "chat": chat, "leet": leet}


def noised(kind, text, rng):
    """`text` with noise of one kind, or of several: `typos+chat` is shorthand, typed badly."""
    for each in reversed(kind.split("+")):
        text = KINDS[each](text, rng)
    return text
