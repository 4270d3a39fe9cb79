"""Pure decisions: in what order to try targets, what to do after a Fault, which targets to leave alone for a while."""
