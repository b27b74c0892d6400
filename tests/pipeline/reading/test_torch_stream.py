import itertools

import numpy as np
import pytest

from fakes.synthetic_corpus import object_row, write_corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage
from pipeline.reading.triplets import Triplets

torch = pytest.importorskip("torch", reason="the stream is a torch dataset")
from torch.utils.data import DataLoader  # noqa: E402

from pipeline.reading.torch_stream import TripletStream  # noqa: E402

OBJECTS = 25  # 23 of them in train


@pytest.fixture(scope="module")
def triplets(tmp_path_factory) -> Triplets:
    """Several files with several row groups each."""
    corpus = write_corpus(tmp_path_factory.mktemp("stream"), OBJECTS, shard_size=6, views=3, size=16, num_gaussians=20)
    PackStage(PackConfig(file_bytes=60_000, row_group_bytes=15_000)).run(corpus)
    triplets = Triplets(corpus, "train")
    assert len(triplets.files) > 1
    return triplets


def uids(stream) -> list[str]:
    return [sample["uid"] for sample in stream]


def test_a_sample_is_the_object_with_one_of_its_views(triplets):
    samples = {sample["uid"]: sample for sample in TripletStream(triplets)}
    expected = object_row(3, OBJECTS, views=3, size=16, num_gaussians=20)
    sample = samples["ball-003"]
    assert sample["caption"] == expected["caption"]
    assert sample["gaussians"].shape == (20, 14) and sample["gaussians"].dtype == torch.float32
    np.testing.assert_allclose(sample["gaussians"][:, :3], expected["means"], atol=1e-6)
    np.testing.assert_allclose(sample["gaussians"][:, 10:], expected["quats"], atol=1e-6)
    row = next(item for item in triplets if item.uid == "ball-003")
    np.testing.assert_array_equal(sample["image"], np.asarray(row.view(sample["view"])))


def test_without_shuffling_the_order_is_that_of_the_files(triplets):
    assert uids(TripletStream(triplets, shuffle=False)) == [item.uid for item in triplets.read(["caption"])]


def test_epochs_differ_and_are_repeatable(triplets):
    stream = TripletStream(triplets, seed=1)
    first, second = uids(stream), uids(stream)
    assert sorted(first) == sorted(second) and first != second
    again = TripletStream(triplets, seed=1)
    again.set_epoch(1)
    assert uids(again) == second
    assert uids(TripletStream(triplets, seed=2)) != first


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (2, 0), (3, 2), (5, 1)])
def test_ranks_and_workers_share_everything_evenly(triplets, ranks, workers):
    streams = [TripletStream(triplets, rank=rank, ranks=ranks) for rank in range(ranks)]
    parts = [uids(DataLoader(stream, batch_size=None, num_workers=workers)) for stream in streams]
    assert [len(part) for part in parts] == [len(stream) for stream in streams]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert sorted(itertools.chain(*parts)) == sorted(item.uid for item in triplets.read(["caption"]))


@pytest.mark.parametrize("given", [0, 1, 9, 22])
def test_a_stream_goes_on_where_it_stopped(triplets, given):
    stream = TripletStream(triplets, seed=3)
    whole = uids(TripletStream(triplets, seed=3))
    iterator = iter(stream)
    assert [next(iterator)["uid"] for _ in range(given)] == whole[:given]
    resumed = TripletStream(triplets, seed=3)
    resumed.load_state_dict(stream.state_dict())
    assert uids(resumed) == whole[given:]
    assert resumed.state_dict() == {"epoch": 1, "given": 0}
