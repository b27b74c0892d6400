"""What is left of an address where it is stored or printed."""

import pytest

from pipeline.assets.fetch.addresses import without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:p%40ss@host/t.csv", "https://host/t.csv"),
        ("https://me:p@ss@host/t.csv", "https://host/t.csv"),
        ("https://TOKEN@host/t.csv", "https://host/t.csv"),
        ("https://b.s3.amazonaws.com/t.csv?X-Amz-Signature=abc&x=1", "https://b.s3.amazonaws.com/t.csv"),
        ("cap3d:ftp://me:secret@host/t.csv,/data/b.csv", "cap3d:ftp://host/t.csv,/data/b.csv"),
        ("a.csv,https://h/a?sig=1,https://h/b?sig=2", "a.csv,https://h/a,https://h/b"),
        ("s3://bucket/a?b.csv", "s3://bucket/a?b.csv"),
        ("hf://datasets/me/name@main/t.csv", "hf://datasets/me/name@main/t.csv"),
        ("abfs://container@account.dfs.core.windows.net/t.csv", "abfs://container@account.dfs.core.windows.net/t.csv"),
        ("/data/a:b@c/t?.csv", "/data/a:b@c/t?.csv"),
    ],
)
def test_secrets_go_and_the_rest_stays(address, shown):
    assert without_secrets(address) == shown
