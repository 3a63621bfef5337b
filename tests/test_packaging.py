"""docai as others install it: from a wheel, beside folders that carry the same names as its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.slow(seconds=8)

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "docai": "docai",
    "models": "docai.models",
    "parsers": "docai.parsers",
    "pipelines": "docai.pipelines",
}
MAX_MODEL_BYTES = 24 * 2**20


def _setuptools_table() -> dict[str, object]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    table: dict[str, object] = project["tool"]["setuptools"]
    return table


def _packages() -> set[str]:
    packages = _setuptools_table()["packages"]
    assert isinstance(packages, list)
    return set(packages)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is built from that."""
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    # A copy: nothing stale in build/ gets into the wheel, and nothing is left in the checkout.
    for name in (*FOLDERS, "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    options = ["--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "build", *options, str(tree)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("docai-*.whl"))


@pytest.fixture(scope="session")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with docai installed into it from the wheel."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A user's folder whose own packages are named like docai's source folders."""
    for name in ("models", "parsers", "pipelines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('the {name} of the user')\n")
    return tmp_path


def _python(code: str, cwd: Path, *, site: Path | None = None) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCAI_", "PYTHON"))
    }
    if site:
        environment["PYTHONPATH"] = str(site)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


USE = """
import docai, docai.cli, docai.models.heads, docai.pipelines.layout, docai.pipelines.ingest
record = docai.parse("molecule", "OCC")
assert record.smiles == "CCO", record
print(docai.__file__, docai.models.heads.__file__, sep="\\n")
"""


def test_installed_from_the_wheel_it_works_beside_a_folder_named_models(site: Path, crowded: Path) -> None:
    for file in _python(USE, crowded, site=site).splitlines():
        assert Path(file).is_relative_to(site)


def test_installed_editable_it_works_beside_a_folder_named_models(crowded: Path) -> None:
    files = _python(USE, crowded).splitlines()
    assert files == [str(ROOT / "docai" / "__init__.py"), str(ROOT / "models" / "heads.py")]


@pytest.mark.skipif(
    not Path(sysconfig.get_path("purelib"), "docai-checkout.pth").exists(),
    reason="docai was not installed by make, which writes docai-checkout.pth",
)
def test_installed_editable_it_works_beside_its_own_clone(tmp_path: Path) -> None:
    (tmp_path / "docai" / "docai").mkdir(parents=True)
    files = _python(USE, tmp_path).splitlines()
    assert files == [str(ROOT / "docai" / "__init__.py"), str(ROOT / "models" / "heads.py")]


def test_in_a_checkout_without_an_installation_it_works_from_the_root() -> None:
    """As with the tree on PYTHONPATH, or from a source archive: no finder of an installed docai is asked."""
    uninstalled = "import sys; sys.meta_path = [f for f in sys.meta_path if 'Editable' not in repr(f)]\n"
    files = _python(uninstalled + USE, ROOT).splitlines()
    assert files == [str(ROOT / "docai" / "__init__.py"), str(ROOT / "models" / "heads.py")]


def test_in_the_root_the_checkout_is_used_even_where_a_wheel_is_installed(site: Path) -> None:
    uninstalled = "import sys; sys.meta_path = [f for f in sys.meta_path if 'Editable' not in repr(f)]\n"
    files = _python(uninstalled + USE, ROOT, site=site).splitlines()
    assert files == [str(ROOT / "docai" / "__init__.py"), str(ROOT / "models" / "heads.py")]


def test_the_command_runs_from_the_wheel(site: Path, crowded: Path) -> None:
    code = "import sys; sys.argv = ['docai', 'schema']; import docai.cli; docai.cli.main()"
    assert _python(code, crowded, site=site).startswith("{")


def test_wheel_installs_one_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"docai"}


def test_source_distribution_has_the_four_folders(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("docai-*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert path.relative_to(ROOT).as_posix() in names


def test_wheel_has_all_modules_and_data(wheel: Path) -> None:
    wanted = set()
    for folder, package in FOLDERS.items():
        base = Path(*package.split("."))
        for pattern in ("*.py", "*.json", "*.safetensors", "py.typed"):
            for path in (ROOT / folder).rglob(pattern):
                wanted.add((base / path.relative_to(ROOT / folder)).as_posix())
    with zipfile.ZipFile(wheel) as archive:
        present = set(archive.namelist())
    assert wanted - present == set()
    assert "docai/py.typed" in present
    assert "docai/schema.json" in present
    assert any(name.endswith("licenses/LICENSE") for name in present)


def test_wheel_carries_the_embedded_model_within_its_budget(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {
            info.filename.rpartition("/")[2]: info.file_size
            for info in archive.infolist()
            if info.filename.startswith("docai/models/nano/")
        }
    assert {"docai.json", "config.json", "tokenizer.json"} <= sizes.keys()
    assert any(name.endswith(".safetensors") for name in sizes)
    assert any(name.endswith(".md") for name in sizes), "the model card is missing"
    assert sum(sizes.values()) <= MAX_MODEL_BYTES


def test_every_package_folder_is_listed() -> None:
    found = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([package, *path.parent.relative_to(ROOT / folder).parts]))
    assert found == _packages()


def test_constraints_pin_versions_that_the_project_allows() -> None:
    from packaging.requirements import Requirement

    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[name.lower().replace("_", "-")] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (Requirement(text) for texts in lists for text in texts):
        name = requirement.name.lower().replace("_", "-")
        if name != "docai":
            assert name in pins, f"{name} is not pinned in constraints.txt"
            assert requirement.specifier.contains(pins[name]), f"constraints.txt: {name}"


@pytest.fixture
def package_view() -> ModuleType:
    spec = spec_from_file_location("package_view", ROOT / ".ci" / "package_view.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links, as on Windows"])
def test_static_tools_are_shown_the_installed_layout(
    package_view: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Type checker, import linter and an editor's go-to-definition read this folder, and not the mapping."""
    if not links:

        def refuse(*_: object, **__: object) -> None:
            raise OSError("a required privilege is not held by the client")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    package = package_view.make_view(tmp_path) / "docai"
    for folder, name in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            shown = package.parent.joinpath(*name.split("."), path.relative_to(ROOT / folder))
            assert shown.read_bytes() == path.read_bytes()
            assert (shown.resolve() == path) is links
