"""What tests and benchmarks make believe with: fake stages, synthetic corpora, servers that fail on purpose."""
