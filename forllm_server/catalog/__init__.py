"""The catalog: which backends were added, which models they have, and which one answers.

Imports no other feature. The wire formats live in ``forllm_server.backends``; here are the rows, the rules about them,
the probe that fills them and the choice of a model for a reply.
"""
