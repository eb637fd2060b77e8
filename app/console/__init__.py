"""The pages for people, under `/console`: the same functions as the API's, in HTML."""
