"""The house rules: what may import what, what things are called, one line of migrations, no dead links."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

CHECKOUT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "models": {"models"},
    "jobs": {"jobs", "models"},
    "agi": {"agi", "jobs", "models"},
    "webui": {"webui", "jobs", "models"},
}
PYST2_FILES = {"agi/channel.py", "jobs/ami.py"}
MODULES = sorted(path for package in ALLOWED for path in (CHECKOUT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_imports_point_downward_and_pyst2_stays_in_its_two_files(path):
    where = path.relative_to(CHECKOUT)
    for name in imported(path):
        root = name.split(".")[0]
        if root in ALLOWED:
            assert root in ALLOWED[where.parts[0]], f"{where} imports {name}"
        assert root != "asterisk" or str(where) in PYST2_FILES, f"{where} imports {name}"
        assert root != "tests", f"{where} imports {name}"


def test_models_know_no_web_no_redis_and_no_exchange():
    for path in (CHECKOUT / "models").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"flask", "redis", "rq", "asterisk"}, path


def test_the_watchdog_starts_without_the_database():
    """It must start at once and stay small; and no part that runs needs the migrations or the paper of reports."""
    heavy = {
        "jobs.watchdog": ("sqlalchemy", "flask"),
        "agi.server": ("alembic",),
        "jobs.rounds": ("alembic",),
        "webui": ("alembic", "fpdf", "docx", "openpyxl"),
        "jobs.voice, models.status_script": ("num2words",),
    }
    for module, unwanted in heavy.items():
        told = f"import sys, {module}; print(*[name for name in {unwanted} if name in sys.modules])"
        assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout.split() == [], module


def test_no_module_is_named_like_one_of_the_standard_library():
    assert not {path.stem for path in MODULES} & set(sys.stdlib_module_names)


def test_migrations_are_one_numbered_line():
    scripts = list(ScriptDirectory(str(CHECKOUT / "migrations")).walk_revisions())
    revisions = [script.revision for script in reversed(scripts)]
    assert revisions == [f"{place:04d}" for place in range(1, len(revisions) + 1)]
    assert len(ScriptDirectory(str(CHECKOUT / "migrations")).get_heads()) == 1


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", (CHECKOUT / page).read_text()):
        assert target.startswith("https://") or (CHECKOUT / target).exists(), target
