"""Graphs as .tflite files: written, made small, run, and compared with their model."""
