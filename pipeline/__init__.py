"""NN-Former Bench, one package a step: files in, predictions out, scores last; see docs/architecture.md."""
