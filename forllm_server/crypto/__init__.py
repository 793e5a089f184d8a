"""Key derivation and sealing: everything secret that is kept or sent passes through here. Knows no SQL and no Flask."""
