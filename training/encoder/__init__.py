"""Fits the encoder of cart and history (`features.encoder`) in PyTorch, on baskets before a moment, and then on.

Comes in: the order history and item vectors. Goes out: an `Encoder` for each of several ascending moments, each of
which has seen the orders before it and none after. Called by the stage `examples`.
"""
