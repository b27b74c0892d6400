"""What a captioned and embedded corpus shows: retrieval beside chance, bad renders, tokens of its views."""

from collections import Counter

import numpy as np

from caption.errors import BadRender
from caption.pictures.subject import ASSET_COLUMNS, VIEW_COLUMNS, Subject
from caption.pictures.views import check_render
from caption.retrieval import caption_recall, caption_view_recall, object_vectors
from pipeline import Corpus
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.store.shard_reader import ShardReader
from pipeline.values.pictures import open_view, over_background

QWEN_MERGE = 2  # patches a side that become one token
SMOLVLM_TOKENS = 64  # of a tile, in the models of 256M and 500M


def captioned_corpus(corpus: Corpus) -> dict[str, float]:
    """How well the corpus' captions find their objects and views, beside chance, and its bad renders."""
    captions = {
        row["uid"]: row["caption"]
        for shard in corpus.shards("captions")
        for row in corpus.read_rows("captions", shard, ["uid", "caption"])
    }
    failed = sum(len(corpus.read_errors("caption", shard)) for shard in corpus.shards("views"))
    columns = ["uid", "text_embedding", "image_embeddings", "view_weights"]
    rows = [row for shard in corpus.shards("embeddings") for row in corpus.read_rows("embeddings", shard, columns)]
    texts = np.stack([row["text_embedding"] for row in rows])
    views = [row["image_embeddings"] for row in rows]
    said = [captions[row["uid"]] for row in rows]
    scores = [row["view_weights"].mean() for row in rows]
    recalls = {
        "corpus_caption_to_object": caption_recall(texts, object_vectors(views), said),
        "corpus_caption_to_view": caption_view_recall(texts, views, said),
    }
    return {
        "corpus_objects": len(captions) + failed,
        "corpus_captioned_share": len(captions) / (len(captions) + failed),
        "corpus_different_captions": len(set(captions.values())),
        "corpus_views": sum(map(len, views)),
        **{f"{name}_{key}": value for name, recall in recalls.items() for key, value in recall.items()},
        "corpus_caption_score_median": float(np.median(scores)),
        "corpus_caption_score_lowest": float(np.min(scores)),
        **bad_renders(corpus),
    }


def bad_renders(corpus: Corpus) -> dict[str, int]:
    """Objects that a vision model would not be shown, by reason."""
    kinds = Counter({"nearly_empty": 0, "missing_textures": 0, "one_colour": 0})
    for shard in corpus.shards("views"):
        with ShardReader(corpus, shard, {"assets": ASSET_COLUMNS, "views": VIEW_COLUMNS}) as reader:
            for row in corpus.read_rows("views", shard, ["uid"]):
                subject = Subject.from_row(reader.rows([row["uid"]])[0])
                try:
                    check_render(subject, subject.open_views())
                except BadRender as error:
                    kinds[error.kind.replace(" ", "_")] += 1
    return {f"corpus_bad_renders_{kind}": count for kind, count in kinds.items()}


def image_tokens(corpus: Corpus, views: int = 6) -> dict[str, int]:
    """What the pictures of a question about an object take of a model's context, by its image processor."""
    prepare_torchvision()
    from transformers import Qwen2VLImageProcessor, SmolVLMImageProcessor

    row = corpus.read_rows("views", corpus.shards("views")[0], ["images"])[0]
    pictures = [over_background(open_view(image["bytes"], None, "a view")) for image in row["images"][:views]]
    figures = {}
    for pixels in (256, 512):
        resized = [picture.resize((pixels, pixels)) for picture in pictures]
        for name, patch_size in (("qwen2_5_vl", 14), ("qwen3_vl", 16)):
            processor = Qwen2VLImageProcessor(patch_size=patch_size, merge_size=QWEN_MERGE)
            grids = processor(images=resized, return_tensors="np")["image_grid_thw"]  # [views, 3]: patches
            figures[f"image_tokens_{name}_{pixels}px"] = int(grids.prod(1).sum()) // QWEN_MERGE**2
        processor = SmolVLMImageProcessor(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512})
        tiles = processor(images=[resized], return_tensors="np")["pixel_values"].shape[1]
        figures[f"image_tokens_smolvlm_{pixels}px"] = tiles * SMOLVLM_TOKENS
    return figures
