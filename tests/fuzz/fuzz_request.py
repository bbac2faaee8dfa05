from c_strings import c_strings


def seeds():
    targets = [text for text in c_strings("tests/unit/api/test_request.c") if text.startswith((b"/", b"http"))]
    targets += [text for text in c_strings("tests/unit/api/test_route.c") if text.startswith(b"/")]
    targets += [text for text in c_strings("api/route.c") if text.startswith(b"/")]
    return [
        *targets,
        b"/scores/merchant?limit=100&maxLag=5",
        b"/scores?role=creator&limit=2",
        b"/scores/merchant?period=day:previous&around=AAAA",
        b"/scores?period=2026-W48",
        b"/scores/product/lamp/history?kind=hour&limit=2",
        b"/contributions?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        b"/contributions/" + b"a" * 3000,
        b"/contributions?productIds=lamp,a%2Cb,%C3%A4",
        b"/contributions?merchant=AAAA&limit=2",
        b"https://[::1]:80?limit=1",
        b"*",
        b"/x?" + b"&".join(b"%d=%d" % (i, i) for i in range(40)),
    ]


DICTIONARY = [b"/scores", b"/merchant", b"/photographer", b"/creator", b"/contributions", b"limit=", b"cursor=", b"role="]
DICTIONARY += [b"/product", b"/history", b"/sales", b"period=", b"around=", b"kind=", b"day", b":previous", b"2026-11-29T14", b"-W48", b"productIds=", b",", b"%2C", b"merchant="]
DICTIONARY += [b"maxLag=", b"http://", b"HTTPS://", b"%2F", b"%00", b"%25", b"%C3%A4", b"%E2%80%AE", b"&", b"="]
