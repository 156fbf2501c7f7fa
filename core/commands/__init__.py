"""The commands of `edgeface-studio`, one group a file: parse, call the library, print."""
