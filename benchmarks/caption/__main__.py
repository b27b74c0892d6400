"""What captioning and embedding cost beside their models, and what the offline parts reach on real furniture.

`python -m benchmarks.caption LIBRARY.sh3f … --corpus CORPUS` writes benchmarks/results/caption.json. Times are CPU
seconds of one thread, so that other work on the machine does not count. CORPUS holds the furniture, captioned and
embedded.
"""

import argparse
import io
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from benchmarks.caption.corpus import captioned_corpus, image_tokens
from benchmarks.record import record
from caption.captioners.questions import Question, Reply
from caption.config import CaptionConfig, EmbedConfig
from caption.embed_stage import EmbedStage
from caption.retrieval import caption_recall, object_vectors
from caption.stage import CaptionStage
from pipeline import Corpus
from pipeline.assets.properties import parse_properties
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row

VIEWS, SIZE = 36, 512  # of the default render config
CATALOGUE = "PluginFurnitureCatalog.properties"


def caption_overhead(folder: Path, objects: int) -> dict[str, float]:
    """CPU time of the stage around a model that answers at once, beside that of a small SmolVLM alone."""
    from fakes.tiny_models import SENTENCE, save_smolvlm

    vit_tiny = {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 12, "num_attention_heads": 3}
    model = save_smolvlm(folder / "tiny-smolvlm", pixels=SIZE, patch_size=16, scale_factor=4, **vit_tiny)
    rows = [drawn_object(i) for i in range(objects)]
    stage = caption_stage(folder, captioner="transformers", model=model, max_new_tokens=20)
    bare = stage._captioner._model
    groups: list[list[Question]] = []

    def at_once(questions: list[Question]) -> list[Reply]:
        groups.append(questions)
        return [Reply(SENTENCE) for _ in questions]

    really = bare.answer
    bare.answer = at_once
    stage.process(rows[:1])  # warms up
    groups.clear()
    around_s = cpu_seconds(lambda: stage.process(rows))
    really(groups[0][:1])  # warms up
    model_s = sum(cpu_seconds(lambda g=group: really(g)) for group in groups)
    return {
        "overhead_share": around_s / (around_s + model_s),
        "overhead_cpu_ms_per_object": 1000 * around_s / objects,
        "small_model_objects_per_cpu_s": objects / (around_s + model_s),
    }


def embed_efficiency(folder: Path, objects: int) -> dict[str, float]:
    """CPU time of ViT-B-16's forward pass (random weights) beside that of the stage around one that is done at once."""
    prepare_torchvision()
    import open_clip

    torch.manual_seed(0)
    weights = folder / "vit.pt"
    torch.save(open_clip.create_model("ViT-B-16", load_weights=False).state_dict(), weights)
    config = EmbedConfig(model="ViT-B-16", pretrained=str(weights), image_batch_size=12)
    stage = EmbedStage(config, StageContext(Corpus(folder), folder, threads=1))
    stage.setup()
    model = stage._encoder._model
    rows = [drawn_object(i, views=12) for i in range(objects)]
    stage.process(rows[:1])  # warms up
    pictures = torch.randn(12, 3, 224, 224)
    with torch.inference_mode():
        model_s = sum(cpu_seconds(lambda: model.encode_image(pictures)) for _ in rows)
    model.encode_image = lambda batch: torch.ones(len(batch), stage._encoder.dim)
    around_s = cpu_seconds(lambda: stage.process(rows))
    total_s = around_s + model_s
    return {"embed_efficiency": model_s / total_s, "vit_b_16_views_per_cpu_s": 12 * objects / total_s}


def furniture(folder: Path, libraries: list[Path]) -> dict[str, float]:
    """Every piece of the libraries, its catalogue icon for a view: captioned by metadata, embedded offline."""
    rows = [row for library in libraries for row in catalogue_rows(library)]
    captions = caption_stage(folder).process(rows)
    embed = EmbedStage(EmbedConfig(encoder="conse"), StageContext(Corpus(folder), folder, threads=1))
    embed.setup()
    captioned = {row["uid"]: row["caption"] for row in captions if isinstance(row, dict)}
    joined = [row | {"caption": captioned[row["uid"]]} for row in rows if row["uid"] in captioned]
    embedded = [row for i in range(0, len(joined), 64) for row in embed.process(joined[i : i + 64])]
    images = object_vectors([row["image_embeddings"] for row in embedded])
    texts = np.stack([row["text_embedding"] for row in embedded])
    figures = {"furniture_objects": len(rows), "captioned_share": len(captioned) / len(rows)}
    recall = caption_recall(texts, images, [row["caption"] for row in joined])
    figures |= {f"furniture_caption_{key}": value for key, value in recall.items()}
    names = [row["name"] for row in joined]
    unique = sorted(set(names))
    similarity = images @ embed._encoder.encode_texts(unique).T
    right = similarity[np.arange(len(names)), [unique.index(name) for name in names]]
    rank = (similarity > right[:, None]).sum(1)
    figures |= {f"furniture_icon_to_name_recall_{k}": float((rank < k).mean()) for k in (1, 5, 10)}
    figures["furniture_icon_to_name_chance_1"] = 1 / len(unique)
    return figures


def catalogue_rows(library: Path) -> list[Row]:
    """Rows as the stages read them, one per piece of a Sweet Home 3D library, with its icon as the only view."""
    rows = []
    with zipfile.ZipFile(library) as archive:
        catalogue = parse_properties(archive.read(CATALOGUE))
        numbers = sorted(int(key[5:]) for key in catalogue if key.startswith("icon#"))
        for number in numbers:
            icon = archive.read(catalogue[f"icon#{number}"].lstrip("/"))
            with Image.open(io.BytesIO(icon)) as image:
                size, coverage = image.size, np.asarray(image.convert("RGBA"))[..., 3].mean() / 255
            tags = [tag.strip() for tag in catalogue.get(f"tags#{number}", "").split(",") if tag.strip()]
            category = catalogue.get(f"category#{number}", "")
            uid = f"{library.stem}-{number}"
            rows.append(stage_row(uid, [icon], size, catalogue[f"name#{number}"], tags, category, coverage))
    return rows


def drawn_object(seed: int, views: int = VIEWS) -> Row:
    """A row with views of the default size: coloured boxes over nothing, about as hard to decode as a render."""
    generator = np.random.default_rng(seed)
    encoded = []
    for _ in range(views):
        noise = generator.integers(0, 24, (SIZE // 4, SIZE // 4, 3), np.uint8)
        texture = Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        mask = Image.new("L", (SIZE, SIZE))
        draw = ImageDraw.Draw(mask)
        for _ in range(5):
            x, y, w, h = generator.integers(SIZE // 8, SIZE // 2, 4).tolist()
            draw.rectangle((x, y, x + w, y + h), fill=255)
        tint = Image.new("RGB", (SIZE, SIZE), tuple(generator.integers(30, 220, 3).tolist()))
        view = Image.blend(texture, tint, 0.7)
        view.putalpha(mask)
        file = io.BytesIO()
        view.save(file, "WEBP", lossless=True)
        encoded.append(file.getvalue())
    return stage_row(f"drawn-{seed}", encoded, (SIZE, SIZE), "box", [], "", 0.4) | {"caption": "A box."}


def stage_row(uid, encoded: list[bytes], size: tuple[int, int], name: str, tags, category: str, coverage) -> Row:
    return {
        "uid": uid,
        "name": name,
        "tags": tags,
        "category": category,
        "lvis_category": "",
        "missing_textures": [],
        "images": [{"bytes": data, "path": None} for data in encoded],
        "width": size[0],
        "height": size[1],
        "coverage": float(coverage),
    }


def caption_stage(folder: Path, **section) -> CaptionStage:
    stage = CaptionStage(CaptionConfig(**section), StageContext(Corpus(folder), folder, threads=1))
    stage.setup()
    return stage


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of the process for `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Command line: see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.caption", description=__doc__.partition("\n")[0])
    parser.add_argument("libraries", nargs="+", type=Path, help="Sweet Home 3D libraries (.sh3f)")
    parser.add_argument("--corpus", type=Corpus, required=True, help="the libraries' pieces, captioned and embedded")
    parser.add_argument("--objects", type=int, default=4, help="drawn objects for the timings (default: 4)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = caption_overhead(folder, arguments.objects)
        figures |= embed_efficiency(folder, arguments.objects)
        figures |= furniture(folder, arguments.libraries)
    figures |= captioned_corpus(arguments.corpus)
    figures |= image_tokens(arguments.corpus)
    notes = (
        "Timings: the stage around a model that is done at once, and the model alone, each in CPU seconds (the "
        "difference of two whole runs drowned in the machine's noise); one CPU thread, "
        f"drawn objects of {VIEWS} views of {SIZE}² (12 for the encoder). The captioner is a "
        "SmolVLM with a ViT-Tiny at full resolution and two layers of text, far smaller than any that is used; on a "
        "fast GPU the share outside the model may be larger than here; the encoder a ViT-B-16 with random weights. "
        "Furniture: catalogue icons for views, metadata captions, the offline encoder `conse`, which knows ImageNet's "
        "1000 classes and no colours. Corpus: the same pieces, rendered, 36 views each. Image tokens: of six views, "
        "by the image processors of transformers as the models configure them; no tokenizer was asked."
    )
    print(record("caption", figures, notes).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
