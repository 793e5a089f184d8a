"""From a thread to the messages a model gets: what it may see, what fits, and where each token went."""
