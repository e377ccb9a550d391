"""Alembic's migrations of the system of record; `tillwise record migrate` runs them, and every writer at its start."""
