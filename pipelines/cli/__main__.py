"""`python -m pipelines.cli`: the same as `tillwise`."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
