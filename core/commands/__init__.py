"""The commands of `edgeface-studio`, one group a file. Heavy imports (torch, pandas) happen inside a command."""
