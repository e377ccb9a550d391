"""What a worker serves: the champion and, if there is one, the challenger, each swapped for a newer one in place.

Comes in: pointers to packages (`training.aliases`). Goes out: `Models`, of which a request takes one `Served` when it
begins and keeps it to its end. Called by `serving.app` and everything that ranks or names products.
"""

from serving.models.following import Following
from serving.models.models import Models, Refused, Standing
from serving.models.served import Served

__all__ = ["Following", "Models", "Refused", "Served", "Standing"]
