"""Full-text search over posts and the titles of topics."""
