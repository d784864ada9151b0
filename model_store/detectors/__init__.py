"""Detectors: which outputs are boxes, scores and classes, the detections read from them, and their drawing."""
