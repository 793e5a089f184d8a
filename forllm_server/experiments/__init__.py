"""Experiments: earlier answers asked for again, of another persona version or model, and compared with the old ones."""
