"""Scripts as they lie in such directories: several authors, several years, no common style."""
