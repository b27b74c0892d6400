"""Whether two corpora hold the same rows: the fingerprints that their shards' records keep, table by table.

    python -m benchmarks.house.fingerprints CORPUS_A CORPUS_B

A row that only one of the corpora has counts as different. No row is read; `python -m pipeline.run --verify` holds the
fingerprints against the rows. Of embeddings the last bits depend on the machine.

Writes fingerprints.json.
"""

import argparse

from benchmarks.record import record
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.schema import TRIPLET_TABLES
from pipeline.store.shard_record import Fingerprints


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs=2, metavar="CORPUS")
    first, second = (CorpusStore(uri) for uri in parser.parse_args().corpora)
    figures: dict[str, int] = {}
    for table in TRIPLET_TABLES:
        equal, different = compare_rows(table_fingerprints(first, table), table_fingerprints(second, table))
        figures |= {f"{table}_equal": len(equal), f"{table}_different": len(different)}
        print(f"{table}: {len(equal)} equal, {len(different)} different {' '.join(different[:10])}".rstrip())
    if not any(figures.values()):
        parser.error("neither corpus has a finished shard of any table")
    record("fingerprints", figures, notes=__doc__.split("\n\n")[2].replace("\n", " "))


def table_fingerprints(corpus: CorpusStore, table: str) -> Fingerprints:
    """The fingerprints of all finished shards' rows by uid.

    Raises:
        ConfigError: a shard is damaged.
    """
    found: Fingerprints = {}
    for shard in corpus.shards(table):
        if made := corpus.shard_record(table, shard):
            found |= made.outputs
    return found


def compare_rows(first: Fingerprints, second: Fingerprints) -> tuple[list[str], list[str]]:
    """The uids of rows that are equal, and of those that differ or that one side lacks."""
    uids = sorted(first.keys() | second.keys())
    equal = [uid for uid in uids if uid in first and first[uid] == second.get(uid)]
    return equal, sorted(set(uids) - set(equal))


if __name__ == "__main__":
    main()
