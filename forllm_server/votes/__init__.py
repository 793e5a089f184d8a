"""Which of two replies is the better one: votes with the names hidden, ratings from them, and a judge's view."""
