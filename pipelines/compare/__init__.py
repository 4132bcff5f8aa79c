"""`guardianflow compare`: variants of one model beside each other."""
