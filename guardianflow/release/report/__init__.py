"""The release report: one page in English and in Korean."""
