"""`python -m encke` is `encke`."""

from encke.cli.main import main

if __name__ == "__main__":
    main()
