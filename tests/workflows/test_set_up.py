"""What a newcomer runs first: the check of the system, the sample assets, the presets."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.stages.config import load_config

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / "workflows"


@pytest.fixture(scope="module")
def check_system():
    spec = importlib.util.spec_from_file_location("check_system", WORKFLOWS / "check_system.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake_python(tmp_path):
    """An interpreter of another version, on another processor or without venv."""

    def make(version: str = "3 11", machine: str = "x86_64", has_venv: bool = True) -> str:
        file = tmp_path / "python"
        ensurepip = "" if has_venv else "case $2 in *ensurepip*) exit 1;; esac\n"
        file.write_text(f"#!/bin/sh\n{ensurepip}echo {version} {machine}\n")
        file.chmod(0o755)
        return str(file)

    return make


def test_a_machine_that_runs_the_tests_is_ready():
    command = [sys.executable, WORKFLOWS / "check_system.py", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_missing_libraries_and_commands_are_named_with_their_packages(check_system, monkeypatch, tmp_path, capsys):
    needs = tmp_path / "packages.txt"
    needs.write_text(
        "# comment\n\nlibfoo1 library:libfoo.so.1\nbar command:bar\ngit command:git\nlibc6 library:libc.so.6\n"
    )
    monkeypatch.setattr(check_system, "PACKAGES_FILE", needs)
    assert check_system.main(sys.executable) == 1
    message = capsys.readouterr().out
    assert "libfoo.so.1" in message
    assert "the command bar" in message
    assert "    sudo apt-get update && sudo apt-get install libfoo1 bar\n" in message
    assert check_system.main("--packages", sys.executable) == 1
    assert capsys.readouterr().out == "libfoo1 bar\n"


@pytest.mark.parametrize(
    ("answers", "problem", "packages"),
    [
        (
            {"version": "3 13"},
            "Python 3.11, or 3.12 without Blender: ",
            ["python3.11", "python3.11-venv"],
        ),
        ({"machine": "aarch64"}, "not published for aarch64", []),
        ({"has_venv": False}, "the modules venv and ensurepip", ["python3.11-venv"]),
    ],
)
def test_what_is_wrong_with_an_interpreter(check_system, fake_python, answers, problem, packages):
    problems, missing = check_system.problem_of_python(fake_python(**answers))
    assert problem in problems[0]
    assert missing == packages


def test_python_3_12_will_do_and_blender_is_said_to_be_missing(check_system, fake_python, capsys):
    assert check_system.problem_of_python(fake_python(version="3 12")) == ([], [])
    assert "without Blender" in capsys.readouterr().err


def test_an_interpreter_that_is_not_there(check_system):
    problems, missing = check_system.problem_of_python("python3.11-that-is-not-there")
    assert "make PYTHON=" in problems[0]
    assert missing == ["python3.11", "python3.11-venv"]


def test_a_full_disk_is_a_problem_before_the_installation(check_system, monkeypatch, tmp_path):
    monkeypatch.setattr(check_system, "ROOT", tmp_path)
    monkeypatch.setattr(check_system, "NEEDED_GB", 1e9)
    assert "disk space" in check_system.problems_of(sys.executable, [])[0][0]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "installed").touch()
    assert check_system.problems_of(sys.executable, []) == ([], [])


def build_samples_deb(folder: Path, library: str) -> None:
    """A package as Debian's, with one file where the libraries lie."""
    tree = folder / "tree"
    control = "Package: sweethome3d-furniture\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n"
    files = {
        "DEBIAN/control": control,
        f"usr/share/sweethome3d/furniture/{library}": "a library",
        "usr/share/doc/sweethome3d-furniture/copyright": "CC0",
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    deb = folder / "samples" / "sweethome3d-furniture_1_all.deb"
    deb.parent.mkdir()
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True, capture_output=True)


def fetch_samples(folder: Path, path: str | None = None) -> subprocess.CompletedProcess:
    environment = {"PATH": path or "/usr/bin:/bin"}
    command = [WORKFLOWS / "fetch_samples.sh", folder / "samples"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_samples_are_unpacked_once(tmp_path):
    build_samples_deb(tmp_path, "BlendSwap-CC-0.sh3f")
    assert fetch_samples(tmp_path).returncode == 0
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == ["BlendSwap-CC-0.sh3f", "copyright"]
    again = fetch_samples(tmp_path)
    assert again.returncode == 0
    assert "is complete" in again.stdout


def test_a_wrong_package_is_refused(tmp_path):
    build_samples_deb(tmp_path, "Other.sh3f")
    done = fetch_samples(tmp_path)
    assert done.returncode == 1
    assert "holds no BlendSwap-CC-0.sh3f" in done.stderr
    assert not list((tmp_path / "samples").glob("*.sh3f"))


def test_a_client_without_sources_is_explained(tmp_path):
    """A client that knows no package stands in for one without sources or network."""
    client = tmp_path / "bin"
    client.mkdir()
    for name in ("apt-get", "apt-cache"):
        (client / name).write_text("#!/bin/sh\nexit 0\n")
        (client / name).chmod(0o755)
    done = fetch_samples(tmp_path, f"{client}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "knows no package sweethome3d-furniture" in done.stderr
    assert "Cure: check the network; /etc/apt/sources.list.d/" in done.stderr


@pytest.mark.parametrize("preset", sorted(WORKFLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_presets_are_valid(preset):
    load_config(preset)


def test_scripts_are_sound():
    for script in (WORKFLOWS / "fetch_samples.sh", ROOT / ".ci" / "run"):
        subprocess.run(["bash", "-n", script], check=True)
        assert script.stat().st_mode & 0o100
