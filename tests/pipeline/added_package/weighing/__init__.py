"""A package that adds to clip-gs-corpus: stages, an asset source, a captioner and an encoder."""
