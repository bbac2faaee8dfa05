"""Debian systems in folders, entered by chroot, in namespaces of their own for mounts and processes. A command in one ends
with us, even after a SIGKILL, together with all that it started and mounted."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import emulators
import program

# The only variables of our environment that are passed on: how to reach the network.
OUTSIDE = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
# How this machine reaches its mirrors is not part of a fresh Debian: it is copied in.
HOST_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/apt/apt.conf.d", "/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WORK = pathlib.Path("/var/tmp")
PREFIX = "winner-view-roots-"
STEP_TIMEOUT_S = 1800
STOP_TIMEOUT_S = 25
# The namespaces end with their first process, and that process ends with us. (It is not the command itself: the kernel
# clears the parent-death signal of a process that changes its user.)
APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
ENTER = """
set -e
root=$1 read_only=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
if [ "$read_only" = yes ]; then mount -o remount,bind,ro "$root"; fi
set +e
"$@"
exit $?
"""


class Root:
    """One Debian system in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, inside):
        """The path on this machine of a path in the system."""
        return self.folder / str(inside).lstrip("/")

    def copy(self, folder):
        subprocess.run(["cp", "-a", "--reflink=auto", self.folder, folder], check=True)
        return Root(folder)

    def command(self, argv, user=None, directory="/", environment=None, read_only=False, first=False):
        """The command line that runs `argv` in it, as `user` ("uid:gid"); `first`: as the first process of a namespace, as
        container engines do."""
        inside = ["unshare", "--pid", "--fork"] if first else []
        inside += ["chroot", *([f"--userspec={user}"] if user else []), str(self.folder), "/usr/bin/env", "-i"]
        inside += [f"--chdir={directory}", *(f"{name}={value}" for name, value in variables(environment).items())]
        enter = [*APART, "sh", "-c", ENTER, "enter", str(self.folder), "yes" if read_only else "no"]
        return [*enter, *inside, *argv]

    def run(self, argv, check=True, **more):
        done = run(self.command(argv, **more))
        assert not check or done.returncode == 0, f"{argv}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def has(self, inside):
        return os.path.lexists(self.path(inside))

    def files(self):
        """Every path in it."""
        return {
            str(pathlib.Path(where, name).relative_to(self.folder))
            for where, folders, names in os.walk(self.folder)
            for name in [*folders, *names]
        }


def run(argv):
    """Runs a command line that ends with us."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=STEP_TIMEOUT_S,
        preexec_fn=emulators.die_with_parent,
    )  # fmt: skip


class Running:
    """A command line of `Root.command` that keeps running. A context manager that ends it."""

    def __init__(self, argv, log_path):
        self.argv, self.log_path = argv, log_path

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=emulators.die_with_parent
            )
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text()

    def pid(self):
        """The pid of the command itself: each process from here to it has one child."""
        pid = self.process.pid
        while children := pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            (pid,) = map(int, children)
        return pid

    def signal(self, number):
        os.kill(self.pid(), number)

    def wait(self):
        return self.process.wait(STOP_TIMEOUT_S)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()


@contextlib.contextmanager
def workplace():
    """A folder for roots, removed at the end. Folders of killed test runs are removed first: their locks are free."""
    for left in WORK.glob(PREFIX + "*"):
        with contextlib.suppress(BlockingIOError), locked(left):
            remove(left)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=WORK))
    with locked(folder):
        try:
            yield folder
        finally:
            remove(folder)


def remove(folder):
    """Faster than shutil. Does not enter mounts; there should be none."""
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


@contextlib.contextmanager
def locked(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def variables(more):
    passed = {name: os.environ[name] for name in OUTSIDE if name in os.environ}
    return {"PATH": PATH, "HOME": "/", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **passed, **(more or {})}


def mirror():
    """The Debian mirror of this machine, or $APT_MIRROR."""
    listed = []
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        text = path.read_text() if path.is_file() else ""
        listed += re.findall(r"^(?:deb |URIs: ).*?(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE)
    return os.environ.get("APT_MIRROR") or (listed or ["http://deb.debian.org/debian"])[0]


def copy_in(root, path):
    source, target = pathlib.Path(path), root.path(path)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def bootstrap(folder):
    argv = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(folder), mirror()]
    done = run([*APART, *argv])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    root = Root(folder)
    for path in HOST_FILES:
        copy_in(root, path)
    root.path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # no service starts, as in an image
    root.path("/usr/sbin/policy-rc.d").chmod(0o755)
    return root


def install(root, *names):
    root.run(["apt-get", "update", "-qq"])
    root.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names])


def copy_of_sources(folder):
    folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=program.ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (program.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(program.ROOT / name, folder / name)
    return folder
