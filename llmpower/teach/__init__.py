"""For teachers: a worksheet for each student with numbers of its own, and grades from what comes back."""
