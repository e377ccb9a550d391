"""Names under which the feature store is known: shared by its definitions, its readers and the online path."""

PROJECT = "tillwise"
"""Feast project; part of every online key."""

TRAINING_SERVICE = "checkout_training"
"""What a training case joins point-in-time: the narrow profile."""

SHOPPER_SERVICE = "checkout_shopper"
"""A shopper's state as serving reads it."""

PRODUCTS_SERVICE = "checkout_products"
"""The product matrix of a model package."""
