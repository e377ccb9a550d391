"""The processes that serve: Redis, the consumer and the service, started, watched, restarted and stopped in order.

Comes in: settings and a built work folder. Goes out: running processes, their pids in `var/run/up.json` and their
logs in `var/logs`. Called by `tillwise up`, `run` and `down`.
"""
