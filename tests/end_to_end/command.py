"""The command line, as a user types it."""

import subprocess
import sys


def run_pipeline(*arguments: str, expect: int = 0) -> str:
    """Run the command line in a process of its own; returns what it printed."""
    command = [sys.executable, "-m", "pipeline.run", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
