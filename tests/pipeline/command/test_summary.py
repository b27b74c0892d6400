"""What the tables at the end of a run show."""

import io

from rich.console import Console

from fakes.corpus import fake_config, run_all
from pipeline.command.summary import failure_table, summary_tables

SUMMARY = {
    "objects": 16,
    "triplets": 15,
    "errors": 1,
    "psnr_median": 33.456,
    "bytes_per_object": 1234567,
    "stages": {"fit": {"done": 15, "failed": 1, "seconds": 12.34}},
    "retrieval_heldout_text_to_3d_r1": 0.5,
    "retrieval_heldout_text_to_3d_r1_chance": 0.25,
    "retrieval_heldout_objects": 4,
}


def printed(*tables) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    for table in tables:
        console.print(table)
    return console.export_text()


def test_figures_stand_beside_their_chance():
    text = printed(*summary_tables(SUMMARY))
    assert "16 objects, 15 triplets, 1 failures" in text
    assert "33.46 dB" in text and "1,234,567" in text
    [line] = [line for line in text.splitlines() if "retrieval" in line]
    assert "50.0%" in line and "25.0%" in line


def test_a_corpus_that_was_only_packed_has_a_summary_too():
    text = printed(*summary_tables({**SUMMARY, "psnr_median": None, "bytes_per_object": None}))
    assert "dB" not in text


def test_failures_are_shown_with_their_reason_and_no_markup(new_corpus):
    config = fake_config("ant,broken[red]")
    corpus = new_corpus(config)
    run_all(corpus, config)
    text = printed(failure_table(corpus, [0], ["assets", "render"]))
    assert "broken[red]" in text and "AssetError: fake:broken[red] is broken" in text
    assert failure_table(corpus, [0], ["fit"]) is None
