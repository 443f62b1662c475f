"""JSON that must be read, that must be refused, and where the standard leaves the choice, by the categories of Seriot's JSONTestSuite ("Parsing JSON is a minefield", 2016): arrays, numbers, objects, strings, structure.

Made from the grammar of RFC 8259: what a rule allows, and what breaks it in one place.
"""

_SOUND = b'{"a": [1, -2.5e+3, "b\\n\\u00e9", null, true, false, {}, []], "c": {"d": {}}}'
_WORDS = (b"null", b"true", b"false")
_ESCAPES = b'"\\/bfnrt'
_DIGITS = b"0123456789"


def accepted() -> dict[str, bytes]:
    """Return documents that every reader of JSON must take."""
    numbers = (b"0", b"-0", b"1", b"-1", b"10", b"0.0", b"-0.0", b"1.5", b"1e1", b"1E1", b"1e+1", b"1e-1", b"1.5E-10", b"0e1", b"0e+1", b"1e00", b"123456789012345", b"0.000000000000000000000000001")  # fmt: skip
    strings = (
        b"",
        b" ",
        b"a",
        "é€𝄞".encode(),
        "\u2028\u2029\ufeff\u200b\uffff".encode(),
        b"\x7f",
        b"/",
        b"[{,:}]",
        b"\\u0000",
        b"\\uD834\\uDD1E",
        b"\\ud834\\udd1e",
        b"\\uFFFF",
        *(b"\\" + bytes([letter]) for letter in _ESCAPES),
    )
    whole = {
        "object": _SOUND,
        "empty list": b"[]",
        "empty object": b"{}",
        "lists in lists": b"[[], [[]], [[[]]]]",
        "an empty key": b'{"": 0}',
        "the same key in two objects": b'[{"a": 1}, {"a": 1}, {"b": {"a": 1}, "a": 2}]',
        "a key with escapes": b'{"\\u0061\\n": 1, "\\u0062": 2}',
        "space everywhere": b' \t\r\n{ "a" \t:\r\n [ 1 , 2 ] } \n',
        "no space": b'{"a":[1,2]}',
        "a line end behind it": b"[1]\n",
        **{f"alone: {word.decode()}": word for word in (*_WORDS, b"1", b"-1.5", b'"a"', b'""')},
    }
    return {
        **whole,
        **{f"number {number.decode()}": b"[" + number + b"]" for number in numbers},
        **{f"string {string!r}": b'["' + string + b'"]' for string in strings},
    }


def refused() -> dict[str, bytes]:
    """Return documents that no reader of JSON may take."""
    numbers = (b"-", b"+1", b"01", b"-01", b"00", b"1.", b".5", b"-.5", b"1.e1", b"1e", b"1e+", b"1E-", b"1.5e", b"0x1", b"1_000", b"1,5.", b"1 000", b"--1", b"1-", b"1+1", b"1e1.5", b"e1", b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"inf", b"nan", b"1f", b"1L", "１".encode(), "1٠".encode(), b"1\xa0")  # fmt: skip
    lists = (b"[1,]", b"[,1]", b"[,]", b"[1,,2]", b"[1 2]", b"[1", b"1]", b"[", b"]", b"[1]]", b"[[1]", b"[1}", b"[1:2]", b'["a": 1]', b"[1;2]", b"(1)", b"[*]", b"[\\n]", b"[a]", b"[\x0c]", b"[1]x", b"[1][2]", b"[1],", b"[1]//x", b"/**/[1]", b"[1]#")  # fmt: skip
    objects = (b'{"a"}', b'{"a":}', b'{:1}', b'{"a" 1}', b'{"a"::1}', b'{"a":1,}', b'{,"a":1}', b'{"a":1,,"b":2}', b'{"a":1 "b":2}', b"{a:1}", b"{'a':1}", b"{1:1}", b"{null:1}", b"{[]:1}", b'{"a":1', b'{"a"', b'{"', b"{", b"}", b'{"a":1}}', b'{"a":1]', b'{"a":1}{"b":2}', b'{"a":1}x', b'{"a",1}', b'{"a":"b" c}', b'{"a":1/*b*/}', b"{ }}")  # fmt: skip
    strings = (b'"', b'"a', b'a"', b"'a'", b"`a`", b'"\\"', b'"\\', b'"\\u"', b'"\\u12"', b'"\\u123g"', b'"\\U00000041"', b'"\\x41"', b'"\\0"', b'"\\a"', b'"\\\xc3\xa9"', "“a”".encode(), b'"a" "b"', b'"a"b')  # fmt: skip
    words = (b"nul", b"nulll", b"Null", b"NULL", b"tru", b"True", b"TRUE", b"fals", b"False", b"None", b"undefined", b"nil", b"yes")  # fmt: skip
    whole = {"nothing": b"", "space": b" \n\t", "a NUL": b"\0", "a NUL behind it": b"[]\0", "tags": b"<a>", "endless": b"[" * 100_000, "endless objects": b'{"a":' * 50_000, "both": b'[{"a":' * 50_000}  # fmt: skip
    others = {bytes([letter]) for letter in range(0x20, 0x7F)} - {bytes([each]) for each in _ESCAPES + b"u"}
    return {
        **whole,
        **{f"number {number!r}": b"[" + number + b"]" for number in numbers},
        **{f"list {each!r}": each for each in lists},
        **{f"object {each!r}": each for each in objects},
        **{f"string {each!r}": b"[" + each + b"]" for each in strings},
        **{f"word {each.decode()}": b"[" + each + b"]" for each in words},
        **{f"cut off after {size}": _SOUND[:size] for size in range(1, len(_SOUND))},
        **{f"a bare {letter:#x} in a string": b'["' + bytes([letter]) + b'"]' for letter in range(0x20)},
        **{f"the escape {letter!r}": b'["\\' + letter + b'"]' for letter in sorted(others)},
        **{
            f"{space!r} as space": b"[1" + space + b"]"
            for space in (
                b"\x0b",
                b"\x0c",
                b"\xc2\x85",
                b"\xc2\xa0",
                b"\xe2\x80\xa8",
                b"\xe3\x80\x80",
                b"\x00",
                b"\x1f",
            )
        },
    }


def left_open() -> dict[str, tuple[bytes, bool]]:
    """Return documents that the standard leaves open, and whether Fathom takes them: where nothing is lost."""
    halves = (b"\\uD800", b"\\uDC00", b"\\uD800\\n", b"\\uD800\\uD800", b"\\uD800a", b"\\uDd1e\\uD834", b"\\uD888\\u1234")  # fmt: skip
    broken = (b"\xff", b"\x80", b"\xc3", b"\xc0\xaf", b"\xe0\xff", b"\xed\xa0\x80", b"\xf4\xbf\xbf\xbf", b"\xfc\x80\x80\x80\x80\x80", b"\xe9")  # fmt: skip
    return {
        "a fraction as good as nothing": (b"[1e-999]", True),
        "a whole number of thirty digits": (b"[-123123123123123123123123123123]", True),
        "a hundred lists in each other": (b"[" * 100 + b"]" * 100, True),
        "one list more": (b"[" * 101 + b"]" * 101, False),
        "a whole number of 4,301 digits": (b"[" + b"1" * 4_301 + b"]", False),
        **{
            f"beyond the largest: {number.decode()}": (b"[" + number + b"]", False)
            for number in (b"1e999", b"-1E+999", b"0.4e0099999999")
        },
        "a key twice": (b'{"a": 1, "a": 1}', False),
        "a key twice, once escaped": (b'{"a": 1, "\\u0061": 2}', False),
        "a mark of the byte order": (b"\xef\xbb\xbf{}", False),
        **{f"half a character: {half.decode()}": (b'["' + half + b'"]', False) for half in halves},
        "half a character in a key": (b'{"\\uDFAA": 0}', False),
        **{f"no UTF-8: {each!r}": (b'["' + each + b'"]', False) for each in broken},
        **{
            f"in {code}": ('["é"]'.encode(code), False)
            for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")
        },
    }
