"""Data pipeline of NN-Former Bench: files in, predictions out, scores last."""
