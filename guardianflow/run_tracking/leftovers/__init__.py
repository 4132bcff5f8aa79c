"""What a killed registration leaves in the store.

half_made.py   logged models without a version, registered models without versions
"""
