"""Tests in Debian systems that are bootstrapped in a folder: some minutes and a gigabyte, as root. They run only if
WINNER_VIEW_ROOTS=1 is set."""

import os
import pathlib
import signal

import pytest

import dockerfile
import debian_roots


def pytest_collection_modifyitems(items):
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents and os.environ.get("WINNER_VIEW_ROOTS") != "1":
            item.add_marker(pytest.mark.skip(reason="needs a Debian root: see tests/root in HACKING.md"))


@pytest.fixture(scope="session")
def base():
    """A Debian 12 (minbase) to be copied, never changed."""
    assert os.geteuid() == 0, "as root"
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", 130))  # so that fixtures clean up
    with debian_roots.workplace() as folder:
        yield debian_roots.bootstrap(folder / "base")


@pytest.fixture(scope="session")
def context(base):
    """The context of a build: a copy of the files that git tracks or would add."""
    return debian_roots.copy_of_sources(base.folder.parent / "context")


@pytest.fixture(scope="session")
def built(base, context):
    """The result of the Dockerfile's steps."""
    folder = base.folder.parent / "container"
    folder.mkdir()
    return dockerfile.Build(base, context, folder)


@pytest.fixture(scope="session")
def package(built):
    """The Debian package, made in the container's build stage, where only the packages for the build are installed."""
    root = next(stage for stage in built.stages if stage.name == "build").root
    root.run(["bash", "-euc", ". deploy/packages.sh && packages_install package"], directory="/src")
    root.run(["cmake", "--build", "--preset", "release"], directory="/src")
    root.run(["cpack"], directory="/src/build/release")
    (made,) = root.path("/src/build/release").glob("*.deb")
    return made


@pytest.fixture(scope="session")
def system(base):
    """A Debian with systemd, not running, and without the package."""
    root = base.copy(base.folder.parent / "package-system")
    debian_roots.install(root, "systemd", "man-db", "lintian")
    return root
