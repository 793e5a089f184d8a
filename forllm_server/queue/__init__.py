"""The persistent queue: one table, ``llm_requests``, drained by workers that hold leases on its rows.

Knows nothing of posts or personas: what a request means is its kind's business (``forllm_server.jobs``), and when it
may run is the gate's, which the worker is handed.
"""
