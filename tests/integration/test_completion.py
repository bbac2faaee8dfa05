"""What bash, zsh and fish complete: commands, options and their values, as the program names them."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import termios

import program
import pytest

SCRIPTS = program.ROOT / "deploy" / "completion"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two events files, in which `winner-view` is the program, found by PATH."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "bin").mkdir()
    (folder / "bin" / "winner-view").symlink_to(pathlib.Path(program.binary()).resolve())
    for name in ("events-1.jsonl", "events-2.jsonl"):
        (folder / name).touch()
    return folder


def run(place, *argv, text=None):
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
        "XDG_DATA_HOME": str(place),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        argv, env=environment, cwd=place, input=text, capture_output=True, text=True, timeout=60
    )
    assert not done.stderr, done.stderr
    return done.stdout


def of_bash(place, words):
    """For bash ":" and "=" are words of their own. `complete -o default` has readline add the files."""
    script = f'''. {SCRIPTS}/winner-view.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _winner_view
        if [ ${{#COMPREPLY[@]}} -gt 0 ]; then printf "%s\\n" "${{COMPREPLY[@]}}"
        elif [ "${{COMP_WORDS[COMP_CWORD]}}" ]; then compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"; fi'''
    *first, last = words
    return run(place, "bash", "-c", script, "bash", "winner-view", *first, *filter(None, re.split("([:=])", last)), *[last][: not last])


def of_fish(place, words):
    line = "winner-view " + " ".join(words)
    found = run(place, "fish", "-c", f"source {SCRIPTS}/winner-view.fish; complete -C '{line}'")
    return re.sub(r"\t.*", "", found).replace("file:", "") if ":" in words[-1] else re.sub(r"\t.*", "", found)


# zsh completes on a terminal only, and asks before it lists more than fits. What matches is written to a file instead of to the terminal.
ZSH = """
autoload -Uz compinit; compinit -u -D; fpath=(. $fpath); autoload -Uz _winner-view; compdef _winner-view winner-view
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
    local -a matching; builtin compadd -O matching "$@"; print -rl -- $matching >>found
    builtin compadd "$@"
}
LISTMAX=1000
complete-and-end() { zle list-choices; exit }
zle -N complete-and-end; bindkey '^I' complete-and-end; PS1=
"""


def of_zsh(place, words):
    shutil.copy(SCRIPTS / "winner-view.zsh", place / "_winner-view")
    (place / "found").write_text("")
    (place / ".zshrc").write_text(ZSH)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.environ.update(PATH=f"{place / 'bin'}:{os.environ['PATH']}", ZDOTDIR=str(place), TERM="dumb")
        os.execvp("zsh", ["zsh", "-d", "-i"])
    termios.tcsetwinsize(terminal, (200, 200))
    os.write(terminal, f"winner-view {' '.join(words)}\t".encode())
    try:
        while select.select([terminal], [], [], 30)[0] and os.read(terminal, 4096):
            pass
    except OSError:  # the other end is closed: zsh has ended
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    return (place / "found").read_text()


COMPLETE = {"bash": of_bash, "zsh": of_zsh, "fish": of_fish}


@pytest.fixture(params=COMPLETE)
def completed(request, place):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return lambda *words: set(COMPLETE[request.param](place, words).split())


def test_the_program_says_what_may_stand_in_a_place_and_what_that_means():
    done = program.run("complete", "cr")
    assert done.returncode == 0 and not done.stderr
    assert dict(line.split("\t") for line in done.stdout.splitlines()) == {
        name: text for name, text in program.commands().items() if name.startswith("cr")
    }


def test_each_command_is_offered(completed):
    assert completed("") == program.commands().keys()
    assert completed("cr") == {"create-tables", "credentials"}


def test_each_option_of_the_command_is_offered(completed):
    flags = {"--help", "--version"}
    assert completed("serve", "--") == {f"--{one.name}" for one in program.options("serve")} | flags
    assert completed("audit", "--") == {f"--{one.name}" for one in program.options("audit")} | flags


@pytest.mark.parametrize(
    "option, typed, offered",
    [
        ("--source", "k", {"kinesis:"}),
        ("--start", "t", {"trim-horizon"}),
        ("--log-level", "", {"error", "warn", "info", "debug"}),
    ],
)
def test_the_allowed_values_of_an_option_are_offered(completed, option, typed, offered):
    assert completed("serve", option, typed) == offered


def test_file_names_are_offered_after_a_colon(completed):
    assert completed("serve", "--source", "file:ev") == {"events-1.jsonl", "events-2.jsonl"}
