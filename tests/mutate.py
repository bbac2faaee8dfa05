#!/usr/bin/python3
"""Breaks one guard of the protocol at a time, in a copy of the tree, and checks that tests/torture finds it.

    tests/mutate.py                     all guards
    tests/mutate.py resume-at           this one
    tests/mutate.py --seeds 1..40       the seeds to try for each, 1..200 if not given

Prints for each guard the seed that found it, and after how long. Exit status 1 if one was not found. Most are found
within ten seeds, in a minute or two. cache-of-a-tenure is rarer: it shows only if a shard returns to a worker that
still has the row of a product which another worker's batch gave its photographer, and a second photograph follows.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = "winner-view", "clock_shim"

# name: (store whose runs find it, [(file, text, replacement)])
GUARDS = {
    "score-condition": (
        "dynamodb",
        [(
            "views/dynamodb/write.c",
            '"attribute_not_exists(#w) OR #w < :first"',
            '"attribute_not_exists(#w) OR #w < :first OR attribute_exists(#w)"',
        )],
    ),
    "contribution-condition": (
        "dynamodb",
        [(
            "views/dynamodb/write.c",
            'old ? "#last = :old" : "attribute_not_exists(#last)"',
            'old ? "#last = :old OR attribute_exists(#last) OR attribute_not_exists(#last)"'
            ' : "attribute_not_exists(#last) OR attribute_exists(#last)"',
        )],
    ),
    "scores-first": (
        "dynamodb",
        [(
            "views/dynamodb/write.c",
            "    enum status status = write_scores(d, batch, context, e);\n"
            "    if (!status)\n"
            "        status = write_contributions(d, batch, context, e);\n",
            "    enum status status = write_contributions(d, batch, context, e);\n"
            "    if (!status)\n"
            "        status = write_scores(d, batch, context, e);\n",
        )],
    ),
    "cache-of-a-tenure": (
        "dynamodb",
        [
            ("views/apply.c", "    row_cache_deinit(&a->cache);\n    free(a->shard_id);\n    free(a);\n",
             "    keep_for_ever(a);\n"),
            ("views/apply.c", "row_cache_init(&a->cache, cache_bytes)", "a->cache.max_bytes = cache_bytes"),
            ("views/apply.c", "    struct apply *a = mem_zalloc(sizeof *a);\n    a->store = store;\n",
             "    struct apply *a = find_kept(shard_id);\n    a->store = store;\n"),
            ("views/apply.c", "struct apply *apply_new(",
             "static struct apply *kept[256];\n"
             "static struct apply *find_kept(const char *shard_id) {\n"
             "    for (int i = 0; i < 256; i++)\n"
             "        if (kept[i] && strcmp(kept[i]->shard_id, shard_id) == 0) {\n"
             "            struct apply *a = kept[i];\n"
             "            kept[i] = NULL;\n"
             "            return a;\n"
             "        }\n"
             "    return mem_zalloc(sizeof(struct apply));\n"
             "}\n"
             "static void keep_for_ever(struct apply *a) {\n"
             "    for (int i = 0; i < 256; i++)\n"
             "        if (!kept[i]) {\n"
             "            kept[i] = a;\n"
             "            return;\n"
             "        }\n"
             "}\n\n"
             "struct apply *apply_new("),
        ],
    ),
    "cache-only-what-is-acknowledged": (
        "dynamodb",
        [(
            "views/apply.c",
            "    if (status && is_kept(a))\n        forget_rows(a);\n",
            "    if (status && is_kept(a)) {\n        row_cache_keep_held(&a->cache);\n        forget_rows(a);\n    }\n",
        )],
    ),
    "checkpoint-last": (
        "dynamodb",
        [(
            "ingest/shard.c",
            "    enum status status = apply_write(",
            "    report_position(s);\n    enum status status = apply_write(",
        )],
    ),
    "resume-at": (
        "dynamodb",
        [("ingest/kinesis/place.c", '"AT_SEQUENCE_NUMBER"', '"AFTER_SEQUENCE_NUMBER"')],
    ),
    "promised-replies": (
        "dynamodb",
        [("aws/promise.c", "    return check(&v, reply, e);\n", "    (void)check;\n    return STATUS_OK;\n")],
    ),
    "clock-of-the-service": (
        "dynamodb",
        [("base/service_clock.c", "c->is_known ? at_least(&c->lower, then)", "c->is_known ? clock_real_ms()")],
    ),
    "period-from-the-record": (
        "dynamodb",
        [(
            "ingest/kinesis/reply.c",
            "seconds ? kinesis_stream_time(seconds * 1000 + 0.5) : -1;",
            "0;\n    int64_t clock_real_ms(void);\n    record.arrived_ms = clock_real_ms();",
        )],
    ),
    "file-by-its-content": (
        "sqlite",
        [
            ("ingest/file/source.c", "!digest_is_same(&r->next.hash, &hash)", "false"),
            ("ingest/file/lines.c", " || memcmp(before, behind, n) != 0)", ")"),
            ("ingest/file/lines.c", " || memcmp(after, behind, n) != 0)", ")"),
        ],
    ),
    "one-transaction": (
        "sqlite",
        [("views/sqlite/access.c", '"BEGIN IMMEDIATE"', '"SELECT 1"'), ("views/sqlite/access.c", '"COMMIT"', '"SELECT 1"')],
    ),
}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


class Copy:
    """A copy of the tree, built with kill points."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
        for name in filter(None, names.split("\0")):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.folder / name)
        run("cmake", "--preset", "kill", cwd=self.folder).check_returncode()

    def build(self):
        done = run("cmake", "--build", "--preset", "kill", "-j2", "--target", *TARGETS, cwd=self.folder)
        assert done.returncode == 0, done.stdout[-3000:]

    def broken(self, changes):
        """Makes the replacements. Returns the original texts, for mend()."""
        before = {file: (self.folder / file).read_text() for file, _, _ in changes}
        for file, old, new in changes:
            text = (self.folder / file).read_text()
            assert text.count(old) == 1, f"{file}: {text.count(old)} times {old!r}"
            (self.folder / file).write_text(text.replace(old, new))
        return before

    def mend(self, before):
        for file, text in before.items():
            (self.folder / file).write_text(text)

    def torture(self, store, seeds):
        """(the seed that found it or None, the failure's message)"""
        command = [str(self.folder / "tests" / "torture"), "--store", store, "--seeds", seeds, "--stop"]
        binary = self.folder / "build" / "kill" / "winner-view"
        done = run("env", f"WINNER_VIEW_BINARY={binary}", *command)
        found = re.search(r"^seed (\d+) on \w+: DIFFERENT", done.stdout, re.MULTILINE)
        why = re.search(r"AssertionError: (.*)", done.stdout)
        assert found or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return (int(found[1]), why[1] if why else "") if found else (None, "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1..200")
    parser.add_argument("guards", nargs="*", metavar="GUARD", help=f"of {', '.join(GUARDS)}")
    options = parser.parse_args()
    survived = []
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Copy(folder)
        for name in options.guards or GUARDS:
            store, changes = GUARDS[name]
            before = copy.broken(changes)
            copy.build()
            begin = time.monotonic()
            seed, why = copy.torture(store, options.seeds)
            seconds = time.monotonic() - begin
            copy.mend(before)
            survived += [] if seed is not None else [name]
            found = f"seed {seed}" if seed is not None else "NOT FOUND"
            print(f"{name:32} {store:9} {found:10} {seconds:6.0f} s  {why:.200}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
