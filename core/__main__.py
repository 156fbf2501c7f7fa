"""`python -m core` is the console command `edgeface-studio`."""

from core.cli import main

if __name__ == "__main__":
    main()
