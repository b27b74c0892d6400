"""Coverage must not fall: a plugin of pytest that holds the measured figure against tests/coverage.json.

    python -m pytest tests --cov --cov-report=json:.cache/coverage.json -p tests.coverage_floor

What runs in other processes (Blender, Ray's workers, commands that tests start) and what Numba has compiled is not
seen, so the figure says less than the tests do; it is there to be compared with itself.
"""

import json
import sys
from pathlib import Path

import pytest

KEPT = Path(__file__).with_name("coverage.json")
SLACK = 0.3  # points: threads and time limits make two runs of the same code differ


def judge(measured: float, kept: float | None) -> tuple[bool, str]:
    """Whether the figure will do, and what to tell."""
    said = f"coverage {measured:.1f} %"
    if kept is None:
        return True, f'{said}; no figure is kept yet: write {{"percent": {measured:.1f}}} to tests/{KEPT.name}'
    said += f", kept in tests/{KEPT.name}: {kept:.1f} %"
    if measured < kept - SLACK:
        return False, f"{said}. It has fallen: test what the change adds (.cache/coverage.json names the lines)"
    if measured > kept + SLACK:
        return True, f"{said}. It has risen: commit the better figure"
    return True, said


def measured_here(config: pytest.Config) -> float | None:
    """The total in percent; None in a worker, without --cov, and where the tests that need Blender skip themselves."""
    if sys.version_info[:2] != (3, 11):
        return None
    return getattr(config.pluginmanager.getplugin("_cov"), "cov_total", None)


def kept_figure() -> float | None:
    return float(json.loads(KEPT.read_text())["percent"]) if KEPT.exists() else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    measured = measured_here(session.config)
    if measured is not None and session.exitstatus == 0 and not judge(measured, kept_figure())[0]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measured = measured_here(config)
    if measured is not None:
        terminalreporter.write_line(judge(measured, kept_figure())[1])
