"""npm packages that tests need besides the emulators.

    npm.folder("redocly")       # the folder where tests/support/redocly/package-lock.json is installed, after installing it

A package and all that it needs are pinned by the lock file with their integrity hashes, which `npm ci`
checks; no script of theirs runs at the installation. They are kept beside the emulators, under a hash of the folder's
files.
"""

import hashlib
import pathlib
import shutil
import subprocess
import tempfile

import emulators

TESTS = pathlib.Path(__file__).resolve().parent
NPM = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]


def folder(name):
    source = TESTS / name
    files = sorted(source.iterdir())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    target = emulators.cache_folder() / f"{name}-{digest}"
    if target.is_dir():
        return target
    emulators.cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=emulators.cache_folder(), prefix=f"{name}-") as work:
        made = pathlib.Path(work) / "made"
        shutil.copytree(source, made)
        subprocess.run(NPM, cwd=made, check=True, timeout=600)
        try:
            made.rename(target)
        except OSError:  # another process was faster
            if not target.is_dir():
                raise
    return target
