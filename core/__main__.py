"""`python -m core` is `edgeface-studio`."""

from core.cli import main

if __name__ == "__main__":
    main()
