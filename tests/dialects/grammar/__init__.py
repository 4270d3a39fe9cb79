"""What a stream of each client dialect has to be, written from the public grammars: no code of `encke` is used here."""
