"""The stages, in order. A stage is one line here, one section in the config and one class (docs/add-a-stage.md)."""

from importlib import import_module

from pipeline.stage import CorpusStage, Stage

# name -> where its class is; imported only when it runs
SHARD_STAGES = {
    "assets": "pipeline.assets.stage:AssetsStage",
    "render": "render.stage:RenderStage",
    "fit": "fit_gaussians.stage:FitStage",
    "caption": "caption.stage:CaptionStage",
    "embed": "caption.embed_stage:EmbedStage",
}
CORPUS_STAGES = {
    "pack": "pipeline.pack.stage:PackStage",
    "train": "model.stage:TrainStage",
    "evaluate": "model.stage:EvaluateStage",
    "report": "pipeline.report.stage:ReportStage",
}
STAGES = (*SHARD_STAGES, *CORPUS_STAGES)


def stage_class(name: str) -> type[Stage] | type[CorpusStage]:
    """The class of a stage.

    Raises:
        KeyError: no stage has this name.
    """
    module, _, attribute = {**SHARD_STAGES, **CORPUS_STAGES}[name].partition(":")
    return getattr(import_module(module), attribute)
