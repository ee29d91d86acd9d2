"""Charset names of mail to codecs, and decoding that never fails (RFC 2978, RFC 2047).

Only these codecs: a name goes to no codec registry, which would import, cache and even run what a sender names.
"""

_ISO_8859 = ("2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "13", "14", "15", "16")
_WINDOWS = ("1250", "1251", "1252", "1253", "1254", "1255", "1256", "1257", "1258", "874")
_CODE_PAGES = (
    *("437", "737", "775", "850", "852", "855", "857", "858", "860", "861", "862", "863", "864", "865"),
    *("866", "869", "874", "932", "949", "950"),
)
_SAME = (
    *("utf-8", "utf-7", "utf-16", "utf-16le", "utf-16be", "utf-32", "koi8-r", "koi8-u", "koi8-t", "tis-620"),
    *("big5", "big5hkscs", "gb18030", "hz", "johab", "kz1048", "euc-jp", "euc-jis-2004"),
    *("iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-3", "iso-2022-kr"),
)
_ALIASES = {
    # Labels of smaller charsets are used for the larger ones that contain them.
    "us-ascii": "us-ascii",
    "ascii": "us-ascii",
    "ansi_x3.4-1968": "us-ascii",
    "unknown-8bit": "us-ascii",
    "x-unknown": "us-ascii",
    "default": "us-ascii",
    "utf8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "hz-gb-2312": "hz",
    "big5-hkscs": "big5hkscs",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc-jp",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "ibm850": "cp850",
}
CODECS: dict[str, str] = (
    {name: name for name in _SAME}
    | {"cp" + number: "cp" + number for number in _CODE_PAGES + _WINDOWS}
    | {"windows-" + number: "cp" + number for number in _WINDOWS}
    | {"iso-8859-" + number: "iso-8859-" + number for number in _ISO_8859}
    | {"iso8859-" + number: "iso-8859-" + number for number in _ISO_8859}
    | _ALIASES
)
_FALLBACK = "latin-1"


# These make no lone surrogates, which no UTF-8 text (Postgres, IMAP) may hold.
_SAFE = frozenset(("cp1252", _FALLBACK))


def decode(octets: bytes, charset: bytes) -> str:
    """The text; what does not fit its charset is replaced, an unknown charset is read as Latin-1."""
    if not octets:
        return ""
    codec = CODECS.get(charset.strip().lower().decode("latin-1"), _FALLBACK)
    if codec == "us-ascii":
        return decode_unlabelled(octets)
    text = octets.decode(codec, "replace")
    if codec in _SAFE or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def decode_unlabelled(octets: bytes) -> str:
    """Octets without a charset, or called ASCII: UTF-8 if they are that, else Latin-1 (RFC 6532 §3.2)."""
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        # Good UTF-8 up to a character that the end cuts: it was shortened by us or before.
        if error.reason == "unexpected end of data" and not octets[: error.start].isascii():
            return octets.decode("utf-8", "replace")
        return octets.decode(_FALLBACK)
