"""Fault drills: real processes are killed while a stream of events goes through them, and everything is counted."""
