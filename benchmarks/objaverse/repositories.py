"""Git repositories with models as people push them, and what Objaverse-XL's table would say of each."""

import hashlib
import io
import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.objaverse.dataset import XL_FOLDER, XL_SCHEMA
from pipeline.assets.files.checks import check_file
from pipeline.assets.files.references import named_files
from pipeline.base.errors import AssetError

SQUARE = (
    "v 0 0 0\nv 1 0 0\nv 1 1 {z}\nv 0 1 {z}\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    "usemtl paint\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
)
READ_FORMATS = (".obj", ".glb", ".gltf", ".dae", ".ply", ".stl", ".fbx")
WITH_PARTS = (".obj", ".gltf", ".dae")
LARGE_OBJECTS = 60


@dataclass
class Listed:
    """Objects of a table, and what must come of each."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)  # address, format, SHA-256
    parts: dict[str, int] = field(default_factory=dict)  # address -> files beside it that exist and that it needs
    errors: dict[str, str] = field(default_factory=dict)  # address -> class of the error

    def add(self, address: str, data: bytes, parts: int | None = None, error: str = "") -> None:
        self.rows.append((address, address.rpartition(".")[2].lower(), hashlib.sha256(data).hexdigest()))
        if parts is not None:
            self.parts[address] = parts
        if error:
            self.errors[address] = error

    def write(self, root: Path) -> None:
        """The table of GitHub's part, below the hub's root."""
        path = root / XL_FOLDER / "github" / "github.parquet"
        path.parent.mkdir(parents=True)
        addresses, kinds, sums = zip(*self.rows, strict=True)
        count = len(addresses)
        columns = [addresses, ["github"] * count, ["MIT License"] * count, kinds, sums, ["{}"] * count]
        pq.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=XL_SCHEMA), path)


class Repository:
    """A repository in the making: files, then one commit, then a bare copy for the server."""

    def __init__(self, folder: Path, owner: str, name: str):
        self.work, self.bare = folder / "work" / owner / name, folder / "git" / owner / name
        self.owner, self.name = owner, name
        self.work.mkdir(parents=True)
        _git(self.work, "init", "-q")

    def put(self, path: str, data: bytes) -> bytes:
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return data

    def link(self, path: str, target: str) -> None:
        (self.work / path).symlink_to(target)

    def commit(self) -> str:
        """Returns the beginning of its files' addresses: https://github.com/OWNER/NAME/blob/COMMIT/."""
        _git(self.work, "add", "-A")
        _git(self.work, "-c", "user.name=maker", "-c", "user.email=maker@example.org", "commit", "-qm", "models")
        self.bare.parent.mkdir(parents=True, exist_ok=True)
        _git(self.work, "clone", "-q", "--bare", str(self.work), str(self.bare))
        allow_fetch(self.bare)
        return f"https://github.com/{self.owner}/{self.name}/blob/{_git(self.work, 'rev-parse', 'HEAD')}/"


def write_repositories(folder: Path) -> Listed:
    """Five invented repositories below `folder`: one small, one large, one with large files, one from Windows, one that
    names what it never brought; and one that is gone."""
    listed = Listed()
    _small(folder, listed)
    _large(folder, listed)
    _large_files(folder, listed)
    _from_elsewhere(folder, listed)
    _incomplete(folder, listed)
    gone = "https://github.com/maker/gone/blob/" + "0" * 40 + "/chair.obj"
    listed.add(gone, b"gone", error="Missing")
    return listed


def take_repositories(folder: Path, copies: Path) -> Listed:
    """The models of real repositories: bare ones in folders named OWNER+NAME, or repo/ in these."""
    listed = Listed()
    for owner, name, source in _copies(copies):
        bare = folder / "git" / owner / name
        bare.parent.mkdir(parents=True, exist_ok=True)
        _git(folder, "clone", "-q", "--bare", str(source), str(bare))
        allow_fetch(bare)
        commit = _git(bare, "rev-parse", "HEAD")
        paths = _git(bare, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")
        for path in sorted(path for path in paths if Path(path).suffix.lower() in READ_FORMATS):
            data = _blob(bare, path)
            parts = _parts(folder, bare, path, set(paths)) if Path(path).suffix.lower() in WITH_PARTS else None
            listed.add(f"https://github.com/{owner}/{name}/blob/{commit}/{path}", data, parts)
    return listed


def names_and_commits(copies: Path) -> list[str]:
    """OWNER/NAME at COMMIT of each."""
    return [
        f"{owner}/{name} at {_git(source, 'rev-parse', '--short', 'HEAD')}" for owner, name, source in _copies(copies)
    ]


def _copies(copies: Path) -> list[tuple[str, str, Path]]:
    folders = sorted(copies.glob("*+*"))
    return [
        (*folder.name.split("+", 1), folder / "repo" if (folder / "repo").is_dir() else folder) for folder in folders
    ]


def _small(folder: Path, listed: Listed) -> None:
    repository = Repository(folder, "maker", "small")
    square = [SQUARE.format(z=z).encode() for z in range(8)]
    files = {
        "chairs/oak.obj": (repository.put("chairs/oak.obj", b"mtllib oak.mtl\n" + square[0]), 2),
        "chairs/low/ash.obj": (repository.put("chairs/low/ash.obj", b"mtllib ../lib/ash.mtl\n" + square[1]), 2),
        "chairs/elm.obj": (repository.put("chairs/elm.obj", square[2]), 2),
        "a b/fir tree.obj": (repository.put("a b/fir tree.obj", b"mtllib fir tree.mtl\n" + square[3]), 2),
        "a%20b/yew.obj": (repository.put("a%20b/yew.obj", b"mtllib yew.mtl\n" + square[4]), 1),
    }
    repository.put("chairs/oak.mtl", _mtl("../textures/oak.png"))
    repository.put("chairs/lib/ash.mtl", _mtl("../../textures/oak.png"))
    repository.put("chairs/elm.mtl", _mtl("../textures/oak.png"))
    repository.put("a b/fir tree.mtl", _mtl("bark 1.png"))
    repository.put("a%20b/yew.mtl", _mtl(""))
    repository.put("a b/bark 1.png", _png(2))
    repository.put("textures/oak.png", _png(1))
    start = repository.commit()
    for path, (data, parts) in files.items():
        listed.add(start + path, data, parts)


def _large(folder: Path, listed: Listed) -> None:
    """Objects that share textures in a folder of their own, and a great file that nobody asks for."""
    repository = Repository(folder, "studio", "large")
    repository.put("archive/everything.bin", os.urandom(20_000_000))
    made = {}
    for i in range(LARGE_OBJECTS):
        data = repository.put(f"models/m{i}/m{i}.obj", f"mtllib m{i}.mtl\n{SQUARE.format(z=i + 10)}".encode())
        repository.put(f"models/m{i}/m{i}.mtl", _mtl(f"../../textures/t{i % 7}.png"))
        made[f"models/m{i}/m{i}.obj"] = data
    for i in range(7):
        repository.put(f"textures/t{i}.png", _png(10 + i))
    start = repository.commit()
    for path, data in made.items():
        listed.add(start + path, data, 2)


def _large_files(folder: Path, listed: Listed) -> None:
    """In Git's Large File Storage: a model, a model's texture, and a model that was recorded as its pointer."""
    repository = Repository(folder, "store", "large-files")
    model = b"mtllib lamp.mtl\n" + SQUARE.format(z=100).encode()
    pointer = _large_file(folder, model)
    repository.put("lamp.obj", pointer)
    repository.put("lamp.mtl", _mtl("lamp.png"))
    repository.put("lamp.png", _large_file(folder, _png(50)))
    recorded = _large_file(folder, SQUARE.format(z=101).encode())
    repository.put("recorded.obj", recorded)
    start = repository.commit()
    listed.add(start + "lamp.obj", model, 2)
    listed.add(start + "recorded.obj", recorded, 0)


def _from_elsewhere(folder: Path, listed: Listed) -> None:
    """Sums of a checkout on Windows and of one behind a symbolic link; one file that is another one now."""
    repository = Repository(folder, "windows", "checkout")
    data = repository.put("desk.obj", b"mtllib desk.mtl\n" + SQUARE.format(z=200).encode())
    repository.put("desk.mtl", _mtl("desk.png"))
    repository.put("desk.png", _png(60))
    repository.link("table.obj", "desk.obj")
    changed = repository.put("changed.obj", SQUARE.format(z=201).encode())
    start = repository.commit()
    listed.add(start + "desk.obj", data.replace(b"\n", b"\r\n"), 2)
    listed.add(start + "table.obj", data, 2)
    listed.add(start + "changed.obj", changed + b"#", error="Modified")


def _incomplete(folder: Path, listed: Listed) -> None:
    repository = Repository(folder, "game", "unity")
    made = {}
    for i in range(4):
        made[f"{i}.obj"] = repository.put(f"{i}.obj", f"mtllib {i}.mtl\n{SQUARE.format(z=300 + i)}".encode())
        repository.put(f"{i}.mtl", _mtl("../../elsewhere.png"))
    start = repository.commit()
    for path, data in made.items():
        listed.add(start + path, data)


def allow_fetch(bare: Path) -> None:
    """As GitHub does: any commit, and without the blobs that nobody asks for."""
    _git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    _git(bare, "config", "uploadpack.allowFilter", "true")


def _parts(folder: Path, bare: Path, path: str, paths: set[str]) -> int | None:
    """How many files a model names, itself or through its libraries.

    None if one of them is not in the repository, or if the stage refuses the model.
    """
    seen: Counter[str] = Counter()
    todo = [path]
    while todo:
        current = todo.pop()
        local = folder / f"read{Path(current).suffix.lower()}"
        local.write_bytes(_blob(bare, current))
        try:
            if current == path:
                check_file(local)
            named = named_files(local)
        except (AssetError, OSError, ValueError):
            return None
        for name in (*named.needed, *named.optional):
            target = os.path.normpath(os.path.join(os.path.dirname(current), name.replace("\\", "/")))  # noqa: PTH118, PTH120
            if target not in paths:
                return None
            seen[target] += 1
            if target.endswith(".mtl") and seen[target] == 1:
                todo.append(target)
    return len(seen)


def _blob(bare: Path, path: str) -> bytes:
    return subprocess.run(
        ["git", "-C", bare, "cat-file", "blob", f"HEAD:{path}"], check=True, capture_output=True
    ).stdout


def _large_file(folder: Path, data: bytes) -> bytes:
    """Keep a file for the server of large files; returns the pointer that stands for it in the repository."""
    oid = hashlib.sha256(data).hexdigest()
    (folder / "lfs").mkdir(exist_ok=True)
    (folder / "lfs" / oid).write_bytes(data)
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()


def _mtl(texture: str) -> bytes:
    return f"newmtl paint\nKd 1 1 1\n{f'map_Kd {texture}' if texture else ''}\n".encode()


def _png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256)).save(stream, "png")
    return stream.getvalue()


def _git(folder: Path, *arguments: str) -> str:
    made = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True)
    return made.stdout.strip()
