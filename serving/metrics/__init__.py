"""What Prometheus reads at /metrics beside BentoML's own figures: answers by fallback, calls taken, events waiting.

Comes in: answers and calls as they are counted; at each scrape the broker is asked how far each group is behind.
Goes out: Prometheus' text format. Called by the routes and by the BentoML service.
"""

from serving.metrics.counts import Counts, counts
from serving.metrics.lag import LagMeter

__all__ = ["Counts", "LagMeter", "counts"]
