"""A module a subcommand of `nnfb`: its first line, EXAMPLES, `arguments(parser)`, `run(args)`."""
