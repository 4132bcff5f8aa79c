"""OpenVINO: runs, exports, quantises and trains quantised .xml models."""
