"""What a reader did: what was seen, kept, noted, watched, judged. Posts are not changed by it."""
