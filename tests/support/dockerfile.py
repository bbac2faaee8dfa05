"""Runs our Dockerfile without a container engine: each stage is a copy of a bootstrapped root instead of the image that
FROM names. An unknown instruction or option is an error."""

import json
import re
import shlex
import shutil

import program

BASE = "debian:bookworm-slim"
CHECK = re.compile(r"(?:--(?P<name>[a-z-]+)=(?P<value>\S+)\s+)")


class Stage:
    def __init__(self, name, root):
        self.name, self.root = name, root
        self.labels, self.environment, self.exposed = {}, {}, set()
        self.directory, self.user = "/", None
        self.healthcheck = self.entry_point = None
        self.health_options = {}

    def where(self, path):
        return path if path.startswith("/") else f"{self.directory.rstrip('/')}/{path}"

    def command(self, argv, environment=None, **more):
        """As an engine runs it in this image. `environment` overrides the image's variables."""
        variables = {**self.environment, **(environment or {})}
        return self.root.command(argv, user=self.user, directory=self.directory, environment=variables, **more)


def instructions(text=None):
    """[(WORD, rest)] of a Dockerfile's text, by default of ours: without comments, continued lines joined."""
    text = text or (program.ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [tuple(line.strip().split(None, 1)) for line in joined.splitlines() if line.strip()]


def exec_form(text):
    argv = json.loads(text)
    assert isinstance(argv, list) and all(isinstance(word, str) for word in argv), text
    return argv


def pair(text):
    (word,) = shlex.split(text)
    name, _, value = word.partition("=")
    return name, value


class Build:
    """Runs the steps. `stages` are the results, the last is the image."""

    def __init__(self, base, context, folder):
        self.base, self.context, self.folder = base, context, folder
        self.stages = []
        for word, rest in instructions():
            getattr(self, f"do_{word.lower()}")(rest)

    @property
    def image(self):
        return self.stages[-1]

    def do_from(self, rest):
        image, _, name = rest.partition(" AS ")
        assert image == BASE, f"FROM {image}"
        root = self.base.copy(self.folder / f"stage-{len(self.stages)}")
        self.stages.append(Stage(name or "image", root))

    def do_label(self, rest):
        self.image.labels.update([pair(rest)])

    def do_env(self, rest):
        self.image.environment.update([pair(rest)])

    def do_expose(self, rest):
        self.image.exposed.add(int(rest))

    def do_user(self, rest):
        self.image.user = rest

    def do_workdir(self, rest):
        self.image.directory = rest
        self.image.root.path(rest).mkdir(parents=True, exist_ok=True)

    def do_run(self, rest):
        self.image.root.run(
            ["/bin/sh", "-c", rest], user=self.image.user, directory=self.image.directory,
            environment=self.image.environment,
        )  # fmt: skip

    def do_copy(self, rest):
        words = shlex.split(rest)
        source_root = self.context
        if words[0].startswith("--from="):
            name = words.pop(0).removeprefix("--from=")
            source_root = next(stage for stage in self.stages if stage.name == name).root.folder
        source, target = words
        from_path, to_path = source_root / source.lstrip("/"), self.image.root.path(self.image.where(target))
        to_path.parent.mkdir(parents=True, exist_ok=True)
        if from_path.is_dir():
            shutil.copytree(from_path, to_path, dirs_exist_ok=True)
        else:
            shutil.copy(from_path, to_path)

    def do_healthcheck(self, rest):
        self.image.health_options = {match["name"]: match["value"] for match in CHECK.finditer(rest)}
        self.image.healthcheck = exec_form(CHECK.sub("", rest).removeprefix("CMD "))

    def do_entrypoint(self, rest):
        self.image.entry_point = exec_form(rest)
