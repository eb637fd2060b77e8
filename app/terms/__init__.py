"""Terms: a client's whole timetable, declared, compared, planned and applied."""
