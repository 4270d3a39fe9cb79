-- The keeper reads journals anew after a restart and adds their entries again, which does nothing: nobody needs marks.

DROP TABLE journal_marks;
