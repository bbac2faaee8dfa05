from c_strings import c_strings


def seeds():
    texts = [text for text in c_strings("tests/unit/aws/test_profile.c") if b"[" in text]
    texts += [text for text in c_strings("tests/unit/aws/credentials/test_shared_files.c") if b"[" in text]
    return [*texts, *(b"\0" + text for text in texts), b"name\0key\0a value"]


DICTIONARY = [b"[profile ", b"[default]", b"[services ", b"]\n", b" = ", b"=\n  ", b" # ", b"\r\n", b'"', b"\0"]
MAX_LENGTH = 2048
