"""Personas that discuss: debates turn by turn, councils that rank their opinions, automatic replies in a topic."""
