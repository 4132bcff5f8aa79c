"""GuardianFlow's core: measurement, backends, run tracking and release of object detectors.

The rooms in here take plain values and results, never a scenario, so the core serves as a
library. Which room holds what is drawn in docs/architecture.md.
"""

__version__ = "0.1.0"
