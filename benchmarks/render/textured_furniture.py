"""The textured models among Sweet Home 3D libraries, as a folder of OBJ files: what the fit is measured on.

    python -m benchmarks.render.textured_furniture OUTPUT LIBRARY.sh3f [LIBRARY.sh3f …] [--count 112]

Takes the first `count` textured models in the order of the hash of their uid. Their views are then made by
`python -m pipeline.run --config workflows/fit_benchmark.yaml --assets.path OUTPUT --corpus CORPUS` with
`--stage assets` and again with `--stage render`.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import AssetSource, make_source
from pipeline.base.errors import AssetError
from pipeline.store.rows import Row

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tga"}
TOLD = ("name", "category", "license", "creator")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("libraries", nargs="+")
    parser.add_argument("--count", type=int, default=112)
    arguments = parser.parse_args()
    source = make_source(AssetsConfig(source="sh3f", path=",".join(arguments.libraries)))
    rows = sorted(source.plan(), key=lambda row: hashlib.sha256(row["uid"].encode()).digest())
    taken = 0
    for row in rows:
        taken += keep_if_textured(source, row, arguments.output)
        if taken == arguments.count:
            break
    print(f"{taken} textured models in {arguments.output}")


def keep_if_textured(source: AssetSource, row: Row, output: Path) -> bool:
    """Store one model below `output` if it brings an image; models that cannot be fetched are told and passed over."""
    with tempfile.TemporaryDirectory() as name:
        try:
            fetched = source.fetch(row, Path(name))
        except AssetError as error:
            print(f"{row['uid']}: {error}")
            return False
        if fetched.rotation or not any(file.suffix.lower() in IMAGES for file in fetched.side_files):
            return False
        shutil.copytree(name, output / row["uid"])
        tell(row, output / row["uid"] / fetched.main.relative_to(name))
    return True


def tell(row: Row, main: Path) -> None:
    """Tell about a model in a file beside it."""
    told = {column: row[column] for column in TOLD} | {"tags": list(row["tags"])}
    main.with_name(f"{main.name}.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
