import pytest
import torch
from PIL import Image

from caption.config import CaptionConfig, EncoderConfig
from caption.encoders import load_encoder
from caption.pictures.subject import Subject
from caption.pictures.views import choose_views, thumbnails, view_coverage
from caption.stage import CaptionStage
from fakes.tiny_models import SAVERS, SENTENCE
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.stages.stage import Failure, StageContext
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import CAPTIONS, TABLES
from tests.caption.objects import encoded, joined_row

CAPTION = SENTENCE[0].upper() + SENTENCE[1:] + "."


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Folder of a tiny model: saved("smolvlm") or saved("smolvlm", "another sentence")."""
    folders = {}

    def save(architecture: str, sentence: str = SENTENCE) -> str:
        if (architecture, sentence) not in folders:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{architecture}"
            folders[architecture, sentence] = SAVERS[architecture](folder, sentence)
        return folders[architecture, sentence]

    return save


def stage_of(tmp_path, **section) -> CaptionStage:
    stage = CaptionStage(CaptionConfig(**section), StageContext(Corpus(tmp_path), tmp_path))
    stage.setup()
    return stage


def calls_of(stage: CaptionStage) -> list[torch.Tensor]:
    """Pictures, as the vision tower gets them, of each call of the model from now on."""
    calls = []
    model = stage._captioner._model._model
    generate = model.generate

    def counted(**inputs):
        calls.append(inputs["pixel_values"])
        return generate(**inputs)

    model.generate = counted
    return calls


def test_reads_and_writes_what_the_tables_have():
    assert CaptionStage.writes == "captions"
    for table, columns in CaptionStage.reads.items():
        assert set(columns) <= set(TABLES[table].names)


def test_metadata_rows(tmp_path):
    stage = stage_of(tmp_path)
    rows = stage.process([joined_row("a"), joined_row("b", name="Oven", coverage=0.0)])
    assert table_from_rows(rows, CAPTIONS).num_rows == 2
    assert [row["caption_source"] for row in rows] == ["metadata"] * 2
    assert rows[1]["caption"] == "An oven, filed under office and tagged seat." and rows[1]["caption_views"] == []
    assert stage.process([joined_row("a")]) == rows[:1]


@pytest.mark.parametrize("architecture", SAVERS)
def test_a_local_model_captions_a_batch(architecture, saved, tmp_path):
    stage = stage_of(tmp_path, captioner="transformers", model=saved(architecture), views=3, max_new_tokens=20)
    calls = calls_of(stage)
    batch = [joined_row("a", seed=1), joined_row("b", seed=2, views=4)]
    rows = stage.process(batch)
    assert table_from_rows(rows, CAPTIONS).num_rows == 2
    assert [row["caption"] for row in rows] == [CAPTION, CAPTION]
    source, _, revision = rows[0]["caption_source"].partition("@")
    assert source == f"vlm:tiny-{architecture}" and len(revision) == 12
    shown = 1 if architecture == "blip" else 3
    assert [len(row["caption_views"]) for row in rows] == [shown, shown]
    assert rows[0]["prompt_id"] == ("prefix-v1" if architecture == "blip" else "object-v1")
    assert len(calls) == 1  # both objects in one call
    assert stage.process(batch) == rows
    assert torch.equal(calls[0], calls[1])


@pytest.mark.parametrize("architecture", ["smolvlm", "blip"])
def test_a_bad_answer_is_asked_again_once_and_then_a_failure(architecture, saved, tmp_path):
    model = saved(architecture, "i cannot tell what this is")
    stage = stage_of(tmp_path, captioner="transformers", model=model, views=2, max_new_tokens=20)
    calls = calls_of(stage)
    (failure,) = stage.process([joined_row("a")])
    assert isinstance(failure, Failure) and failure.uid == "a" and failure.error_class == "BadCaption"
    assert "unusable answer twice" in failure.message and "refuses" in failure.message and not failure.retryable
    assert len(calls) == 2
    same_pictures = calls[0].shape == calls[1].shape and torch.equal(calls[0], calls[1])
    assert same_pictures == (architecture == "smolvlm")  # a plain model is shown another view instead


def test_bad_renders_are_failures_and_the_model_never_sees_them(saved, tmp_path):
    stage = stage_of(tmp_path, captioner="transformers", model=saved("smolvlm"), max_new_tokens=20)
    calls = calls_of(stage)
    flat = [encoded(Image.new("RGBA", (48, 48), (9, 9, 9, 255)))] * 5
    broken = [{"bytes": b"nothing", "path": None}] * 5
    cut = joined_row("cut")["images"]
    cut[2]["bytes"] = cut[2]["bytes"][:-40]
    results = stage.process(
        [
            joined_row("empty", coverage=0.001),
            joined_row("good"),
            joined_row("flat", images=flat),
            joined_row("broken", images=broken),
            joined_row("cut", images=cut),
            joined_row("untextured", missing_textures=["wood.png"]),
        ]
    )
    assert [getattr(result, "error_class", "row") for result in results] == [
        "BadRender",
        "row",
        "BadRender",
        "AssetError",
        "AssetError",
        "BadRender",
    ]
    assert results[1]["uid"] == "good" and len(calls) == 1
    assert all(isinstance(result, Failure) for result in stage.process([joined_row("empty", coverage=0.0)]))
    assert len(calls) == 1


def test_views_chosen_by_embedding_are_those_that_differ_for_the_encoder(saved, tiny_clip, tmp_path):
    scorer = EncoderConfig(model=tiny_clip[0], pretrained=tiny_clip[1])
    section = {"captioner": "transformers", "model": saved("smolvlm"), "views": 3, "max_new_tokens": 20}
    row = joined_row("a", views=6)
    (by_embedding,) = stage_of(tmp_path, choose_by="embedding", scorer=scorer, **section).process([row])
    subject = Subject.from_row(row)
    views = subject.open_views()
    expected = choose_views(load_encoder(scorer).encode_images(views), view_coverage(views), 3)
    assert by_embedding["caption_views"] == expected
    assert expected != choose_views(thumbnails(views), view_coverage(views), 3)  # else this shows nothing


def test_a_local_model_merges_the_captions_of_its_views(saved, tiny_clip, tmp_path):
    scorer = EncoderConfig(model=tiny_clip[0], pretrained=tiny_clip[1])
    section = {"captioner": "transformers", "mode": "per-view", "scorer": scorer, "views": 3, "max_new_tokens": 20}
    (row,) = stage_of(tmp_path, model=saved("qwen2_5_vl"), **section).process([joined_row("a")])
    assert row["caption"] == CAPTION and row["view_captions"] == [CAPTION] * 3 and len(row["scores"]) == 3
    assert row["caption_source"].startswith("vlm:tiny-qwen2_5_vl@") and "+" not in row["caption_source"]
    with pytest.raises(ConfigError, match="cannot merge"):
        stage_of(tmp_path, model=saved("blip"), **section)


@pytest.mark.parametrize(
    "section", [{"model": ""}, {"model": "/nosuch/model"}, {"model": "no/such-model", "local_files_only": True}]
)
def test_a_model_that_cannot_be_loaded_stops_the_run(section, tmp_path):
    with pytest.raises(ConfigError, match="model"):
        stage_of(tmp_path, captioner="transformers", **section)


def test_an_unknown_prompt_stops_the_run(saved, tmp_path):
    with pytest.raises(ConfigError, match="unknown prompt 'nosuch'; there are: .*object-v1"):
        stage_of(tmp_path, captioner="transformers", model=saved("smolvlm"), prompt="nosuch")


def test_a_model_with_code_of_its_own_is_refused(saved, tmp_path):
    """trust_remote_code is off: a folder that asks for its own classes loads nothing and runs nothing."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"model_type": "hostile", "auto_map": {"AutoConfig": "code.C", "AutoModelForImageTextToText": "code.M",'
        ' "AutoProcessor": "code.P"}}'
    )
    classes = "".join(f"class {name}: pass\n" for name in "CMP")
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{classes}")
    with pytest.raises(ConfigError):
        stage_of(tmp_path, captioner="transformers", model=str(folder))
    assert not (tmp_path / "ran").exists()
