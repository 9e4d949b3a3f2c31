"""A fresh machine with nothing but git and python3 becomes one that netsim runs on.

The machine is a Debian root made with debootstrap, entered in a mount and a pid namespace: whatever is
mounted or started there goes when its first process does, however the test ends. The commands are read
from the Vagrantfile, so what `vagrant up` does is what is tried here. Only the bare root is cached.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BARE = ("ca-certificates", "git", "python3")
NETWORK_SETTINGS = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")

# Becomes the first process of the namespaces; its mounts are seen by nobody else.
ENTER = """
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
exec chroot "$1" sh -ec "$2"
"""


def lacking() -> str | None:
    if os.geteuid() != 0:
        return "chroot needs root"
    absent = [name for name in ("debootstrap", "unshare", "git") if shutil.which(name) is None]
    return f"this host lacks {', '.join(absent)}" if absent else None


needs_roots = pytest.mark.skipif(lacking() is not None, reason=str(lacking()))


def provisioning() -> str:
    vagrantfile = (REPOSITORY / "Vagrantfile").read_text()
    found = re.search(r'provision "shell", inline: <<~\'SHELL\'\n(.*?)\n *SHELL\n', vagrantfile, re.DOTALL)
    assert found, "the Vagrantfile has no inline shell provisioner"
    return found[1]


def bare_root(suite: str) -> Path:
    """The cached tar of a bare root, keyed by what it is made from."""
    key = hashlib.sha256(" ".join((suite, *BARE)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsim"
    tar = cache / f"root-{suite}-{key}.tar"
    if not tar.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            include = f"--include={','.join(BARE)}"
            made = subprocess.run(
                ["debootstrap", "--variant=minbase", include, suite, directory],
                text=True, capture_output=True, check=False,
            )  # fmt: skip
            assert made.returncode == 0, made.stdout[-2000:] + made.stderr
            unfinished = tar.with_suffix(f".{os.getpid()}")
            subprocess.run(["tar", "-C", directory, "-cf", unfinished, "."], check=True)
            unfinished.rename(tar)
    return tar


class Machine:
    """A root, and a way to run commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {name: os.environ[name] for name in NETWORK_SETTINGS if name in os.environ}
        self.env |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        done = subprocess.run(
            [*namespaces, "sh", "-ec", ENTER, "enter", str(self.root), script],
            env=self.env, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=900,
        )  # fmt: skip
        print(done.stdout, done.stderr, sep="\n")
        return done


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    tar = bare_root(request.param)
    with tempfile.TemporaryDirectory(prefix="netsim-root-") as directory:
        root = Path(directory)
        subprocess.run(["tar", "-C", directory, "-xf", tar], check=True)
        root.chmod(0o755)  # where everybody may look
        for file in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):  # it trusts what we trust
            (root / file).unlink(missing_ok=True)
            shutil.copy("/" + file, root / file)
        safe = ["git", "-c", f"safe.directory={REPOSITORY}/.git"]
        subprocess.run([*safe, "clone", "--quiet", REPOSITORY, root / "vagrant"], check=True)
        yield Machine(root)


@needs_roots
def test_the_vagrantfile_provisions_a_bare_debian(machine: Machine) -> None:
    first = machine.run(provisioning())
    assert first.returncode == 0
    assert "netsim: ready" in first.stderr

    again = machine.run("cd /tmp && netsim --version")
    assert again.returncode == 0
    assert again.stdout.startswith("netsim ")
    assert again.stderr == ""  # nothing was left to do

    nobody = machine.run("setpriv --reuid=65534 --regid=65534 --clear-groups netsim --version")
    assert (nobody.returncode, nobody.stdout) == (0, again.stdout)


@needs_roots
def test_the_first_scenario_passes_there(machine: Machine) -> None:
    done = machine.run("netsim run firewall-reset --json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "pass"


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="this host lacks vagrant")
@pytest.mark.parametrize("provider", ["--ignore-provider", "libvirt"])
def test_vagrant_accepts_the_vagrantfile(tmp_path: Path, provider: str) -> None:
    env = os.environ | {"VAGRANT_HOME": str(tmp_path), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    command = ["vagrant", "validate"]
    if provider == "libvirt":
        env["VAGRANT_DEFAULT_PROVIDER"] = provider
    else:
        command.append(provider)
    done = subprocess.run(command, cwd=REPOSITORY, env=env, text=True, capture_output=True, check=False)
    if "could not be found" in done.stderr:
        pytest.skip("this host's vagrant lacks the libvirt provider")
    assert done.returncode == 0, done.stderr
