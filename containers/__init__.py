"""Container files, and the lock of exact versions that they are built from."""
