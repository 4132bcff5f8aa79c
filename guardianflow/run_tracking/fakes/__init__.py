"""The store, registry and aliases in memory; they pass the same conformance suites as MLflow's."""
