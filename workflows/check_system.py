"""Is this machine ready? Run by any Python 3.7+ before the virtual environment is made; standard library only.

    python3 workflows/check_system.py [--packages] [PYTHON]

PYTHON is the interpreter for the virtual environment (python3.11). Exits 0 and prints nothing to stdout if all is
there (to stderr that Blender will be missing, where it will); else says in one message what is missing and how to get
it, and exits 1. With --packages it prints the missing apt packages alone.
"""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES_FILE = ROOT / "workflows" / "system-packages.txt"
PYTHON_VERSIONS = ((3, 11), (3, 12))
NO_BLENDER = "Python 3.12: without Blender (bpy 4.2 is published for 3.11 only); the raster engine draws what it can"
NEEDED_GB = 10  # the environment 4 to 8 (torch is larger where it brings CUDA), the samples 0.4, a corpus
ASK = "import sys, platform; print(sys.version_info[0], sys.version_info[1], platform.machine())"
ELSEWHERE = "where apt has no python3.11 (Ubuntu 24.04), get it elsewhere and say make PYTHON=/path/to/python3.11 …"


def main(*arguments):
    """Print the message; the exit code is 0 if nothing is missing."""
    python = next((argument for argument in arguments if argument != "--packages"), "python3.11")
    problems, packages = problems_of(python, read_packages(PACKAGES_FILE.read_text(encoding="utf-8")))
    if "--packages" in arguments:
        print(" ".join(packages))
    elif problems:
        print("This machine lacks what the project needs:")
        print("".join(f"  - {problem}\n" for problem in problems), end="")
        if packages:
            print(f"Install it with\n\n    sudo apt-get update && sudo apt-get install {' '.join(packages)}\n")
        print("Then give the same command again.")
    return 1 if problems else 0


def read_packages(text):
    """Pairs of an apt package and what it is there for (`library:NAME`, `command:NAME`, `module:NAME`)."""
    lines = (line.split() for line in text.splitlines())
    return [(words[0], words[1]) for words in lines if words and not words[0].startswith("#")]


def problems_of(python, packages):
    """What is missing, a line each; and the apt packages that bring it, where there are any."""
    problems, missing = problem_of_python(python)
    for package, purpose in packages:
        kind, name = purpose.split(":")
        if kind == "library" and not has_library(name):
            problems.append(f"{name}, a library that the renderer (Blender) loads")
        elif kind == "command" and not name.startswith("python") and not shutil.which(name):
            problems.append(f"the command {name}")
        else:
            continue
        missing.append(package)
    for command in ("apt-get", "dpkg-deb"):
        if not shutil.which(command):
            problems.append(f"the command {command}: this set-up is for Debian 12 and Ubuntu 22.04 or later")
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < NEEDED_GB and not (ROOT / ".venv" / "installed").exists():
        problems.append(f"disk space: {ROOT} has {free_gb:.1f} GB free, {NEEDED_GB} GB are needed")
    return problems, missing


def problem_of_python(python):
    """What is wrong with the interpreter, and the apt packages that mend it; two empty lists if it will do."""
    if not shutil.which(python):
        return [f"{python} ({ELSEWHERE})"], ["python3.11", "python3.11-venv"]
    asked = subprocess.run([python, "-c", ASK], capture_output=True, check=False)
    if asked.returncode:
        return [f"a {python} that runs: {asked.stderr.decode(errors='replace').strip()[-200:]}"], []
    major, minor, machine = asked.stdout.decode().split()
    if (int(major), int(minor)) not in PYTHON_VERSIONS:
        what = f"Python 3.11, or 3.12 without Blender: {python} is {major}.{minor}"
        return [f"{what} ({ELSEWHERE})"], ["python3.11", "python3.11-venv"]
    if int(minor) == 12:
        print(NO_BLENDER, file=sys.stderr)
    if machine != "x86_64":
        return [f"an x86_64 processor: the renderer (bpy 4.2) is not published for {machine}"], []
    if subprocess.call([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL):
        return [f"the modules venv and ensurepip of {python}"], ["python3.11-venv"]
    return [], []


def has_library(name):
    """Whether the dynamic loader finds a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
