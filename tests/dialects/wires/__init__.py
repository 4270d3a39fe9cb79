"""Each wire read by hand: what an answer says, whole or as a stream. No code of `encke` is used here."""
