"""A root whose first process is systemd, as on a machine: in namespaces and a control group (cgroups(7)) of its own. The
network is this machine's."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import emulators
import debian_roots
import wait

GROUPS = pathlib.Path("/sys/fs/cgroup")
PREFIX = "winner-view-test-"
# What systemd needs and a chroot lacks. /proc/sys is read-only, because it belongs to this machine.
BOOT = """
set -e
root=$1 kind=$2
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs dev
for name in null zero full random urandom tty; do cp -a "/dev/$name" dev/; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs run
if [ "$kind" = cgroup2 ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
mkdir -p .old
pivot_root . .old
umount -l .old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
"""


def hierarchy():
    """Where control groups for systemd are made: ("cgroup2" or "cgroup", folder)."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", GROUPS], capture_output=True, text=True, check=True).stdout.strip()
    return ("cgroup2", GROUPS) if kind == "cgroup2fs" else ("cgroup", GROUPS / "systemd")


def remove(group):
    """Removes a group and the groups in it, if no process is in them."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


class Booted:
    """A context manager that boots the root and in the end kills every process in it."""

    def __init__(self, root):
        self.root = root
        self.kind, self.groups = hierarchy()
        self.group = self.groups / f"{PREFIX}{os.getpid()}"

    def __enter__(self):
        for left in self.groups.glob(PREFIX + "*"):  # left by killed test runs
            remove(left)
        self.group.mkdir()
        apart = [*debian_roots.APART, "--uts", "--ipc", "--cgroup"]
        enter = ["sh", "-ec", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "enter", str(self.group)]
        self.process = subprocess.Popen(
            [*enter, *apart, "sh", "-c", BOOT, "boot", str(self.root.folder), self.kind],
            stdin=subprocess.DEVNULL, preexec_fn=emulators.die_with_parent,
        )  # fmt: skip
        try:
            wait.until(self.is_up, "systemd has started what there is", every_s=0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        wait.until(self.has_left_its_groups, "its groups of processes are gone")
        shutil.rmtree(self.root.path("/.old"), ignore_errors=True)

    def has_left_its_groups(self):
        remove(self.group)
        return not self.group.exists()

    def is_up(self):
        assert self.process.poll() is None, "systemd has ended"
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, *argv, check=True):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        first = children[0] if children else "1"
        inside = ["env", "-i", *(f"{name}={value}" for name, value in debian_roots.variables({}).items()), *argv]
        done = debian_roots.run(["nsenter", "-t", first, "-a", "-r", "-w", *inside] if children else ["false"])
        assert not check or done.returncode == 0, f"{argv}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def show(self, unit):
        """{property: value}"""
        return dict(line.split("=", 1) for line in self.run("systemctl", "show", unit).stdout.splitlines())

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout
