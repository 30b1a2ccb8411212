"""Is it true?  Constants fitted to runs, exams on runs apart, measured watts divided."""
