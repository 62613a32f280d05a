"""What is raised for bad input."""

from pipeline.core.errors import BenchError as BenchError
