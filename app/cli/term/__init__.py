"""`lectern term`: a timetable is planned and applied, over HTTP."""
