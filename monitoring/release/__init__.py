"""Releases: a new version comes to serve everybody step by step, or is stopped by what is seen of it.

Comes in: the running release (`training.releasing`), exposures and what came of them, the registry. Goes out: the next
step, the aliases, `var/reports/releases/VERSION.json`. Called by `tillwise release` and the monitor flow.

Read in this order: `stage.py` (what may be asked), `looking.py` (one look), `live.py` and `shadow.py` (what is judged),
`settling.py` (what follows, to its end even if it is killed), `history.py` (what is kept of it).
"""
