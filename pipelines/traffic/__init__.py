"""Simulated shoppers with real held-out baskets, who drive the running service as a shop would.

Comes in: the test window's baskets, a running service. Goes out: events, requests and orders over HTTP; a table and
`var/reports/traffic.json`. Called by `tillwise simulate` and by the drill that tells the whole story. Nothing that
comes out of it says anything about people: it shows that the machinery works, on known behaviour.
"""

from pipelines.traffic.report import traffic_path, traffic_table, write_traffic_report
from pipelines.traffic.run import simulate
from pipelines.traffic.visits import Crowd, crowd_of

__all__ = ["Crowd", "crowd_of", "simulate", "traffic_path", "traffic_table", "write_traffic_report"]
