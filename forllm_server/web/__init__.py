"""What every face needs from the web and no noun knows: guard, sessions, headers, fragments, forms, cursors, errors."""
