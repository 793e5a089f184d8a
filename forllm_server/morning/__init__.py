"""The report of a night: what was answered, what failed, what it cost, and what each topic says in a line."""
