"""How the runner says that it works."""

BEAT = "flows-runner.json"
"""Below var/run: the process whose deployments the server knows."""
