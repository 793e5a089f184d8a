"""Telling elsewhere: channels, their deliveries, and the private address of the feeds."""
