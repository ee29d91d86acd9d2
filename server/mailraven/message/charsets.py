"""Charset names of mail to codecs, and decoding that never fails (RFC 2978, RFC 2047).

Only these codecs: a name goes to no codec registry, which would import, cache and even run what a sender names.
"""

_SINGLE = {
    "iso-8859-": ("2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "13", "14", "15", "16"),
    "windows-": ("1250", "1251", "1252", "1253", "1254", "1255", "1256", "1257", "1258", "874"),
    "cp": ("437", "737", "775", "850", "852", "855", "857", "858", "860", "861", "862", "863", "864", "865"),
}
_SAME = (
    "utf-8 utf-7 utf-16 utf-16le utf-16be utf-32 koi8-r koi8-u koi8-t big5 big5hkscs gb18030 hz "
    "euc-jp euc-jis-2004 iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-kr cp866 cp869 cp932 "
    "cp949 cp950 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 tis-620 johab kz1048"
).split()
_ALIASES = {
    # Labels of smaller charsets are used for the larger ones that contain them.
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "default": "utf-8",
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
    | {prefix + number: prefix + number for prefix, numbers in _SINGLE.items() for number in numbers}
    | {"iso8859-" + number: "iso-8859-" + number for number in _SINGLE["iso-8859-"]}
    | _ALIASES
)
_FALLBACK = "latin-1"


def decode(octets: bytes, charset: bytes) -> str:
    """The text; what does not fit its charset is replaced, an unknown charset is read as Latin-1."""
    if not octets:
        return ""
    codec = CODECS.get(charset.strip().lower().decode("latin-1"), _FALLBACK)
    if codec == "utf-8":
        try:
            return octets.decode()
        except UnicodeDecodeError:
            # Declared as UTF-8 or ASCII or not at all: mostly undeclared Latin-1 when it is not UTF-8.
            return octets.decode(_FALLBACK)
    text = octets.decode(codec, "replace")
    # UTF-16 and UTF-7 can make lone surrogates, which no UTF-8 text (Postgres, IMAP) may hold.
    return text if codec in _NO_SURROGATES else text.encode("utf-8", "replace").decode()


_NO_SURROGATES = frozenset(CODECS.values()) - {"utf-7", "utf-16", "utf-16le", "utf-16be", "utf-32"} | {_FALLBACK}
