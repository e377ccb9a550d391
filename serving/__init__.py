"""The HTTP service: recommendations within milliseconds, event collection, catalogue, status, the checkout page.

Comes in: a live cart or session. Goes out: ranked products with reasons, whatever happens to Redis. Called by the
shop; started by `pipelines` through `serving.launch`.
"""
