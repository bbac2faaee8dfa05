def seeds():
    return [
        b"Mon, 23 Nov 2026 04:36:00 GMT",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Thu, 29 Feb 2024 23:59:60 GMT",
        b"Wed, 29 Feb 2023 00:00:00 GMT",
        b"Sat, 01 Jan 0000 00:00:00 GMT",
        b"Monday, 23-Nov-26 04:36:00 GMT",
        b"Mon Nov 23 04:36:00 2026",
    ]


DICTIONARY = [b"GMT", b"Mon", b"Nov", b":60", b" 29 Feb ", b"0000", b"9999"]
MAX_LENGTH = 64
